# SPDX-License-Identifier: AGPL-3.0-or-later
"""How programs begin subjects and texts of their mails, in the languages and dialects that are common."""

import re

_UNDELIVERED = (
    r"undeliver(?:able|ed)",
    r"returned (?:e?-?mail|to sender)",
    r"(?:e-?)?mail (?:delivery|system error|error\b|could not be|not delivered|undeliver|failure)",
    r"(?:permanent |temporary )?delivery (?:status|fail|notification|error|problem|report|delay|has failed)",
    r"(?:message|nachricht) (?:delivery|status|undeliver|not delivered|could not be)",
    r"non[- ]?(?:delivery|remis|recapitat)",
    r"fail(?:ure notice|ed mail|ed to deliver|ed delivery)",
    r"warning: (?:could not send|message \S+ delayed|.{1,200} user unknown)",
    r"delayed mail|processing error$|unable to deliver|could not deliver",
    r"unzustellbar|nicht (?:zustellbar|zugestellt)|zustellung fehlgeschlagen|mail-?zustellung",
    r"échec (?:de (?:la )?)?(?:remise|distribution|livraison)|courrier non distribu",
    r"no se puede entregar|no se ha podido entregar|imposible (?:de )?entregar|correo no entregado",
    r"devolución de correo|entrega fallida|error (?:de|en la) entrega",
    r"mancato recapito|impossibile recapitare|mancata consegna",
    r"não é possível entregar|falha na entrega|não entregue|mensagem não entregue",
    r"onbestelbaar|niet bezorgd|kan niet worden bezorgd",
    r"niedostarcz|nie można dostarczyć|nedoruč|nelze doručit|kézbesíthetetlen",
    r"недоставлен|не доставлен|не удается доставить|ошибка доставки|сообщение не доставлено",
    r"配信不能|配信できません|配信エラー|メール配信|送信できません|エラーメール",
    r"退信|系统退信|系統退信|邮件传输失败|邮件投递失败|投递失败|未传递|無法傳遞|未送达",
)
_ANSWER = (
    r"auto(?:matic|mated|matisierte|matische|matisch)?[- ]?(?:reply|response|antwort|answer|antwoord|svar)",
    r"out of (?:the )?office auto-?(?:reply|response)",
    r"vacation (?:auto-?)?(?:reply|response)",
    r"abwesenheits(?:notiz|benachrichtigung|meldung|mitteilung)|automatische (?:antwort|beantwortung)",
    r"réponse automatique|message d'absence",
    r"respuesta automática|resposta automática|risposta automatica",
    r"automatisch antwoord|afwezigheidsbericht",
    r"autosvar|automatiskt? svar|frånvaromeddelande|fraværsmelding|automaattinen vastaus",
    r"automatyczna odpowiedź|automatická odpověď|automatikus válasz|otomatik yanıt",
    r"автоответ|автоматический ответ|автоматична відповідь",
    r"自動応答|自動返信|不在通知|自动回复|自動回覆|자동 회신|자동 응답",
)
# People write of these, too.
_AWAY = (
    r"out of (?:the )?office|vacation (?:message|auto)|away from my mail",
    r"absence du bureau\s*:|fuera de (?:la )?oficina\s*:|fora do escritório|ausência temporária",
    r"fuori sede|fuori ufficio|niet aanwezig:|poissa:",
)
_MAIL = (
    r"(?:your|the|the following|the original|the attached|a|this|votre) (?:e-?mail )?(?:message|e-?mail)\b"
)
_SENTENCE = r"(?:[^.!?]|[.!?](?=\S)){0,300}?"
_OPENING = (
    r"this (?:message|e-?mail) was created automatically by",
    r"this is (?:an automatically generated delivery status|a delivery status)",
    r"this is the (?:mail system|machine generated|.{0,60}(?:postfix|program))",
    r"hi\. this is the",
    r"i'm (?:sorry|afraid) (?:to have to inform you|i (?:was|am)n't able)",
    rf"{_MAIL}{_SENTENCE}\b(?:did not reach|undeliver|delivery problems|permanent fatal|was received at)",
    rf"{_MAIL}.{{0,300}}?\b(?:not|cannot|couldn't) (?:be(?:en)? )?(?:delivered|sent to)",
    rf"{_MAIL}{_SENTENCE}\b(?:was|has been) (?:automatically )?(?:rejected|delayed|returned|blocked)",
    r"delivery (?:has )?(?:failed|to the following|of)|unable to deliver|could not deliver",
    r"(?:we|i) (?:were|was|are|am) (?:unable|not able) to deliver",
    r"non-?delivery report|message from (?:interscan|yahoo)",
    r"failed recipients|intended recipient:|undeliverable (?:address|to)|(?:un)?deliver(?:able|y) ",
)


def _begins(words: tuple[str, ...], before: str) -> re.Pattern[str]:
    return re.compile(rf"{before}(?:{'|'.join(words)})", re.IGNORECASE | re.DOTALL)


_UNDELIVERED_BEGINS = _begins(_UNDELIVERED, r"[\[(*\s]*")
_ANSWER_BEGINS = _begins((*_ANSWER, *_AWAY), r"[\[(*\s]*")
_ANSWER_ENDS = re.compile(r"\((?:automatic response|auto-?reply)\)\s*\Z", re.IGNORECASE)
# What Lotus Notes writes holds the day of the return; all others put the subject behind theirs.
_ANSWERS = re.compile(
    rf"[\[(*\s]*(?:{'|'.join(_ANSWER)})(?:\s*[\])]\s*:?|\s*[:：])\s*\S"
    r"|auto: .{1,200}(?:out of (?:the )?office|abwesen|on vacation|away)"
    r"|re:.{1,900}\((?:automatic response|auto-?reply)\)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_OPENS = _begins(_OPENING, r"[-=*#|~\s]*")
_EVIDENCE = re.compile(
    r"^[> \t]{0,8}(?:message-id|(?:final|original)-recipient|diagnostic-code|(?:reporting|remote)-mta)[ \t]*:"
    r"|(?:\b[45][0-9]{2}[ -]#?|#|\bstatus:[ \t]{0,4})[45]\.[0-9]{1,3}\.[0-9]{1,3}\b"
    r"|\b55[0-4][ -]{1,2}(?:[a-z]{3}|<)"
    r"|^[> \t]{0,8}(?:<[^\s<>@]{1,64}@[^\s<>@]{1,255}>:?|[^\s<>@]{1,64}@[^\s<>@]{1,255}:)[ \t]*$"
    r"|\b(?:recipients?|users?|address(?:es)?)[ \t]{0,4}:\s{1,20}[^\n@]{0,200}[^\s<>@]@[^\s<>@]",
    re.IGNORECASE | re.MULTILINE,
)
_EVIDENCE_CHARS = 64_000


def is_of_undelivered(subject: str) -> bool:
    """Tell the subject of a report that a mail was not delivered; one that begins with "Re:" is none."""
    return _UNDELIVERED_BEGINS.match(subject) is not None


def is_of_answer(subject: str) -> bool:
    """Tell a subject that may be an automatic answer's; people write of these, too."""
    return bool(_ANSWER_BEGINS.match(subject) or _ANSWER_ENDS.search(subject) or names_answered(subject))


def names_answered(subject: str) -> bool:
    """Tell the subject of an automatic answer that names what it answers, as no person writes it."""
    return _ANSWERS.match(subject) is not None


def opens_undelivered(text: str) -> bool:
    """Tell a text that begins as mail servers begin their reports."""
    return _OPENS.match(text[:2000]) is not None


def proves_undelivered(text: str) -> bool:
    """Tell a text that holds what mail servers write: a code, a refused recipient, the mail's number."""
    return _EVIDENCE.search(text[:_EVIDENCE_CHARS]) is not None
