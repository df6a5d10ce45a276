// SPDX-License-Identifier: AGPL-3.0-or-later
// Starts Hydrogen in the page, against the homeserver that answers at the page's own address.
import { FeatureSet, Platform, RootViewModel, createNavigation, createRouter } from "hydrogen-view-sdk";

const olm = { wasm: "/olm/olm.wasm", wasmBundle: "/olm/olm.js", legacyBundle: "/olm/olm_legacy.js" };
const platform = new Platform({
  container: document.querySelector("#client"),
  assetPaths: {
    olm,
    worker: "/assets/main.js",
    serviceWorker: "/sw.js",
    downloadSandbox: "/assets/download-sandbox.html",
  },
  config: { defaultHomeServer: location.origin, themeManifests: [] },
  options: { development: false },
});
await platform.init();
const features = await FeatureSet.load(platform.settingsStorage);
const navigation = createNavigation();
platform.setNavigation(navigation);
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const view = new RootViewModel({ platform, navigation, urlRouter, features });
await view.load();
platform.createAndMountRootView(view);
