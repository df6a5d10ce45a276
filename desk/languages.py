# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which codes name a language (ISO 639): with a typing error a ticket would be in one that nobody speaks."""

_TWO_LETTERS = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz
ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik
io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml
mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd
se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve
vi vo wa wo xh yi yo za zh zu
"""
"""ISO 639-1, and two codes that it has given up and programs still write."""
_THREE_LETTERS = """
ace ach acm ada ady aeb afa afh ain ajp akk ale alg als alt ang anp apa apc arb arc arn arp art arw ary
arz ast ath aus awa azb bad bai bal ban bar bas bat bcl bej bem ber bho bik bin bla bnt bpy bra btk bua
bug bxr byn cad cai car cau cbk ceb cel chb chg chk chm chn cho chp chr chy ckb cmc cnr cop cpe cpf cpp
crh crp csb cus dak dar day del den dgr din diq doi dra dsb dua dum dyu efi egy eka elx enm ewo fan fat
fil fiu fon frm fro frr frs fur gaa gay gba gem gez gil gmh goh gom gon gor got grb grc gsw gwi hai hak
haw hif hil him hit hmn hsb hup iba ijo ilo inc ine inh ira iro jbo jpr jrb kaa kab kac kam kar kaw kbd
kha khi kho kmb kmr kok kos kpe krc krl kro kru kum kut lad lah lam lez lmo lol loz lrc lua lui lun luo
lus mad mag mai mak man map mas mdf mdr men mga mhr mic min mkh mnc mni mno moh mos mrj mun mus mwl mwr
myn myv mzn nah nai nan nap nds new nia nic niu nog non nqo nso nub nwc nym nyn nyo nzi osa ota oto paa
pag pal pam pap pau peo pes pfl phi phn pms pnb pon pra pro prs quc raj rap rar rhg roa rom rue rup sad
sah sai sal sam sas sat scn sco sel sem sga sgn shn sid sio sit sla sma smi smj smn sms snk sog son srn
srr ssa suk sus sux syc syr szl tai tem ter tet tig tiv tkl tlh tli tmh tog tpi tsi tum tup tut tvl tyv
udm uga umb vai vec vep vls vot wak wal war was wen wuu xal xmf yao yap ypk yue zap zbl zen zgh znd zun
zza
"""
"""Those of ISO 639-2 that have no code of two letters, and more that people write in."""
_CODES = frozenset((*_TWO_LETTERS.split(), *_THREE_LETTERS.split()))


def is_language(code: str) -> bool:
    """Whether a code, in small letters, names a language: "fr", "pt-br", "ckb"."""
    return code.partition("-")[0] in _CODES
