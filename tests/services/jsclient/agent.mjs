// SPDX-License-Identifier: AGPL-3.0-or-later
// A Matrix client that is not ours: matrix-js-sdk with Rust crypto, in memory, told what to do by JSON lines on stdin.
// In:  {"id": 1, "do": "say", ...}    Out: {"id": 1, "result": ...} | {"id": 1, "error": "..."} | {"heard": {...}} | {"invited": room}
import readline from "node:readline";
import * as sdk from "matrix-js-sdk";
import { OnlySignedDevicesIsolationMode } from "matrix-js-sdk/lib/crypto-api/index.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

logger.setLevel("silent");
for (const level of ["debug", "info", "log", "warn"]) console[level] = () => {};

let client;
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

async function logIn({ url, user, password, onlySigned }) {
  const identifier = { type: "m.id.user", user };
  const door = sdk.createClient({ baseUrl: url });
  const login = await door.loginRequest({ type: "m.login.password", identifier, password });
  client = sdk.createClient({
    baseUrl: url, userId: login.user_id, accessToken: login.access_token, deviceId: login.device_id,
  });
  await client.initRustCrypto({ useIndexedDB: false });
  if (onlySigned) client.getCrypto().setDeviceIsolationMode(new OnlySignedDevicesIsolationMode());
  client.on(sdk.ClientEvent.Event, (event) => hear(event).catch(() => {}));
  client.on(sdk.MatrixEventEvent.Decrypted, (event) => report(event).catch(() => {}));
  client.on(sdk.RoomEvent.MyMembership, (room, membership) => {
    if (membership === "invite") tell({ invited: room.roomId });
  });
  const ready = new Promise((resolve) => {
    client.on(sdk.ClientEvent.Sync, (state) => state === "PREPARED" && resolve());
  });
  await client.startClient({ initialSyncLimit: 50, threadSupport: true });
  await ready;
  return { user_id: login.user_id, device_id: login.device_id };
}

async function signOwnDevice({ user, password }) {
  await client.getCrypto().bootstrapCrossSigning({
    authUploadDeviceSigningKeys: async (upload) => {
      try {
        return await upload(null);
      } catch (refusal) {
        const identifier = { type: "m.id.user", user };
        return upload({ type: "m.login.password", identifier, password, session: refusal.data.session });
      }
    },
  });
  return client.getCrypto().isCrossSigningReady();
}

async function hear(event) {
  if (!event.isEncrypted()) await report(event);
}

async function report(event) {
  const info = event.isEncrypted() ? await client.getCrypto().getEncryptionInfoForEvent(event) : null;
  tell({
    heard: {
      room: event.getRoomId() ?? "",
      event_id: event.getId() ?? "",
      sender: event.getSender() ?? "",
      kind: event.getType(),
      content: event.getOriginalContent(),
      relation: event.getWireContent()["m.relates_to"] ?? {},
      encrypted: event.isEncrypted(),
      failure: event.decryptionFailureReason,
      shield: info?.shieldReason ?? null,
    },
  });
}

// The key upkeep that a newly met device needs has come with a sync; wait until the room is known to be encrypted.
async function untilEncrypted(room) {
  while (!(await client.getCrypto().isEncryptionEnabledInRoom(room))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const verbs = {
  logIn,
  signOwnDevice,
  join: async ({ room }) => (await client.joinRoom(room)).roomId,
  openRoom: async ({ name, invite }) => {
    const content = { algorithm: "m.megolm.v1.aes-sha2" };
    const initial_state = [{ type: "m.room.encryption", state_key: "", content }];
    return (await client.createRoom({ name, invite, preset: "private_chat", initial_state })).room_id;
  },
  send: async ({ room, kind, content }) => {
    await untilEncrypted(room);
    return (await client.sendEvent(room, kind, content)).event_id;
  },
  // As a client encrypts files (specification, "Sending encrypted attachments"), written anew here.
  sendFile: async ({ room, name, type, data, content }) => {
    await untilEncrypted(room);
    const key = await crypto.subtle.generateKey({ name: "AES-CTR", length: 256 }, true, ["encrypt", "decrypt"]);
    const iv = new Uint8Array(16);
    crypto.getRandomValues(iv.subarray(0, 8));
    const plain = Buffer.from(data, "base64");
    const sealed = await crypto.subtle.encrypt({ name: "AES-CTR", counter: iv, length: 64 }, key, plain);
    const digest = await crypto.subtle.digest("SHA-256", sealed);
    const unpadded = (bytes) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");
    const stored = await client.uploadContent(Buffer.from(sealed), { type: "application/octet-stream" });
    const file = {
      v: "v2", url: stored.content_uri, iv: unpadded(iv), hashes: { sha256: unpadded(digest) },
      key: await crypto.subtle.exportKey("jwk", key),
    };
    const info = { mimetype: type, size: plain.length };
    const message = { msgtype: "m.image", body: "a caption", filename: name, info, file, ...content };
    return (await client.sendEvent(room, "m.room.message", message)).event_id;
  },
  members: async ({ room }) => {
    const { joined } = await client.getJoinedRoomMembers(room);
    return Object.keys(joined).sort();
  },
};

process.on("unhandledRejection", () => {});
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, do: verb, ...rest } = JSON.parse(line);
  try {
    tell({ id, result: (await verbs[verb](rest)) ?? null });
  } catch (error) {
    tell({ id, error: String(error) });
  }
}).on("close", () => process.exit(0));
