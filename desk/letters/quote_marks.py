# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words with which mail programs introduce what they quote and forward, in over twenty languages."""


def _listed(words: str) -> tuple[str, ...]:
    """Return what stands between bars; a blank before a bar counts."""
    return tuple(word.removeprefix("\n") for word in words.strip("\n").split("|"))


WROTE = _listed(
    """
wrote|writes|schrieb|geschrieben|a écrit|a ecrit|escribió|escribio|va escriure|escreveu|escribiu|
ha scritto|schreef|geschreven|skrev|kirjoitti|napisał|pisze|napsal|napísal|írta|a scris|написа|
пишет|писал|пише|напісаў|napisao|napisala|je napisal|yazdı|έγραψε|كتب|كتابة|نوشت|כתב|のメール|
書きました|書いた|작성|写道|寫道|menulis|đã viết|viết|kirjutas|rakstīja|rašė|เขียน|लिखा|idatzi du|
skribis|ha escrit|missatge de
"""
)
"""Parts of attribution lines ("On Monday, Ana wrote:"), lower case."""
DATE_FIRST = _listed(
    """
on |am |le |el |em |il |in data |op |den |på |fra |w dniu |dnia |dne |dňa |pe |în data |на |у |в |
στις |vào |pada |tarih|u |dana |ti |pon|wt|śr|czw|pt.|sob|niedz|mån|tis|ons|tors|fre|lör|sön|пн|вт|
ср|чт|пт|сб|вс|нд|في |در |ב-|בתאריך|ma |ke |to |la |su |missatge
"""
)
"""How attribution lines begin that name no address, lower case."""
ORIGINAL = frozenset(
    _listed(
        """
original message|ursprüngliche nachricht|originalnachricht|message d'origine|message original|
mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|origineel bericht|
ursprungligt meddelande|originalmeddelande|opprinnelig melding|oprindelig meddelelse|
alkuperäinen viesti|oryginalna wiadomość|wiadomość oryginalna|původní zpráva|pôvodná správa|
eredeti üzenet|mesaj original|mesajul original|исходное сообщение|оригинал сообщения|
оригінальне повідомлення|початкове повідомлення|оригинално съобщение|orijinal ileti|özgün ileti|
orijinal mesaj|αρχικό μήνυμα|الرسالة الأصلية|رسالة أصلية|הודעה מקורית|پیام اصلی|元のメッセージ|
원본 메시지|원본 메일|邮件原件|原始邮件|原始郵件|原邮件|pesan asli|thư gốc|tin nhắn gốc|
missatge original|ข้อความต้นฉบับ|मूल संदेश|originalna poruka|izvorno sporočilo|algne sõnum|
mesaj orijinal
"""
    )
)
"""What stands between dashes above a quoted letter, lower case."""
FORWARDED = frozenset(
    _listed(
        """
forwarded message|begin forwarded message|weitergeleitete nachricht|
anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail|message transféré|
message transmis|début du message transféré|début du message réexpédié|mensaje reenviado|
inicio del mensaje reenviado|mensagem encaminhada|mensagem reencaminhada|
início da mensagem encaminhada|início da mensagem reencaminhada|messaggio inoltrato|
inizio messaggio inoltrato|doorgestuurd bericht|begin doorgestuurd bericht|
vidarebefordrat meddelande|vidarebefordrat brev|videresendt melding|videresendt meddelelse|
videresendt besked|välitetty viesti|edelleenlähetetty viesti|przekazana wiadomość|
wiadomość przekazana dalej|treść przekazanej wiadomości|přeposlaná zpráva|preposlaná správa|
továbbított üzenet|mesaj redirecționat|mesaj înaintat|пересылаемое сообщение|
перенаправленное сообщение|пересланное сообщение|начало переадресованного сообщения|
переслане повідомлення|перенаправлене повідомлення|препратено съобщение|iletilen mesaj|
yönlendirilmiş ileti|iletilmiş mesaj|προωθημένο μήνυμα|رسالة معاد توجيهها|رسالة مُعاد توجيهها|
پیام بازارسالی|הודעה שהועברה|転送メッセージ|転送されたメッセージ|전달된 메시지|전달된 메일|
转发的邮件|转发邮件信息|轉寄郵件|轉寄的郵件|pesan yang diteruskan|thư chuyển tiếp|
thư đã chuyển tiếp|missatge reenviat|proslijeđena poruka|posredovano sporočilo
"""
    )
)
"""What stands above a forwarded letter: its words are what the person wants to be read."""
FROM = frozenset(
    _listed(
        """
from|von|de|da|van|från|fra|lähettäjä|od|feladó|de la|от|от кого|від|від кого|kimden|gönderen|από|
من|מאת|از|فرستنده|差出人|送信者|送信元|보낸 사람|보낸사람|发件人|寄件者|寄件人|dari|từ|người gửi|
จาก|expéditeur|remitente|saatja|nuo|no|pošiljatelj|пошиљалац|ad|dal
"""
    )
)
OTHER_FIELDS = frozenset(
    _listed(
        """
sent|date|to|cc|subject|reply-to|importance|gesendet|datum|an|betreff|envoyé|à|objet|enviado|
enviado el|enviada em|enviado em|fecha|para|asunto|assunto|data|inviato|a|oggetto|verzonden|aan|
onderwerp|sendt|til|emne|skickat|till|ämne|dato|lähetetty|päivämäärä|vastaanottaja|kenelle|aihe|
wysłano|wysłane|do|temat|odesláno|komu|kopie|předmět|odoslané|dátum|predmet|elküldve|küldve|címzett|
tárgy|trimis|către|subiect|отправлено|дата|кому|копия|тема|надіслано|відправлено|изпратено|до|
относно|gönderildi|gönderim tarihi|tarih|kime|konu|στάλθηκε|ημερομηνία|προς|θέμα|تم الإرسال|
تاريخ الإرسال|التاريخ|إلى|الموضوع|נשלח|תאריך|אל|נושא|ارسال|تاریخ|به|موضوع|送信日時|日時|日付|宛先|
件名|보낸 날짜|날짜|받는 사람|받는사람|제목|发送时间|发送日期|日期|时间|收件人|抄送|主题|傳送日期|
寄件日期|收件者|主旨|主題|dikirim|tanggal|kepada|ke|perihal|subjek|subyek|đã gửi|ngày|gửi|tới|đến|
chủ đề|ส่ง|วันที่|ถึง|เรื่อง|assumpte|enviat
"""
    )
)
"""Names of the header fields that Outlook and others write above what they quote, lower case."""
SENT_FROM = _listed(
    """
sent from |sent with |sent via |sent by |get outlook for |von meinem |gesendet von |gesendet mit |
diese nachricht wurde von meinem |holen sie sich outlook|outlook für |envoyé de |envoyé depuis |
envoyé à partir |envoyé avec |obtenir outlook|télécharger outlook|enviado desde |enviado con |
obtener outlook|enviado do |enviado a partir |enviado de |enviado pelo |obter o outlook|inviato da |
inviato con |scarica outlook|verzonden vanaf |verzonden met |verstuurd vanaf |outlook voor |
skickat från |skickades från |hämta outlook|sendt fra |sendt med |hent outlook|lähetetty |
hanki outlook|wysłane z |wysłano z |pobierz outlook|odesláno z |odoslané z |získat outlook|küldve a|
az iphone-om|trimis de pe |trimis din |obțineți outlook|отправлено с |отправлено из |
скачать outlook|надіслано з |відправлено з |изпратено от |gönderilen: |στάλθηκε από |αποστολή από |
αποκτήστε το outlook|أُرسلت من |أرسلت من |مرسل من |تم الإرسال من |ارسال شده از |ارسال از |נשלח מה|
נשלח מ|나의 iphone|내 iphone|从我的|发自我的|來自我的|從我的|傳送自我的|發自我的|获取 outlook|
dikirim dari |đã gửi từ |gửi từ |được gửi từ |enviat des de |ส่งจาก|poslano s |poslato sa |
poslano iz
"""
)
"""How the lines begin with which telephones sign, lower case."""
SENT_FROM_ENDS = _listed(
    """
から送信|から送信されました|에서 보냄|에서 보냈습니다|gönderildi|gesendet|发送|küldve|傳送
"""
)
