"""What headers call the columns of a file of numbers: exports of dialers, PBXs and CRMs, and ten
languages.

Lower case, letters and digits only, without accents. Polish, English, German, French, Spanish,
Portuguese, Italian, Dutch, Czech, Russian.
"""

import re
import unicodedata

_PHONE = """
    phone phones phoneno phonenr phonenum phonenumber phonenumbers telephone telephonenumber
    telephoneno tel telno telnr telnum mobile mobileno mobilenumber mobilephone mobilephonenumber
    cell cellphone cellnumber cellphonenumber homephone workphone businessphone companyphone
    mainphone primaryphone otherphone assistantphone personphone contactphone contactnumber
    contactno customerphone customernumber leadphone altphone alternatephone
    phonework phonehome phonemobile phone1value phone2value
    phone3value phone4value
    msisdn e164 cli ani callerid calleridnumber calleridnum callernumber caller
    callingnumber callingparty callingpartynumber src source sourcenumber fromnumber
    incomingcallerid incomingcalleridtobeblocked callblocknumber blockednumber blocknumber
    blacklistnumber blacklistednumber blocklistnumber dncnumber donotcallnumber
    whatsapp whatsappnumber
    telefon telefony telefonu nrtelefonu nrtel numertelefonu numertel telefonkomorkowy
    telefonstacjonarny telefonkontaktowy telefonklienta telefondomowy telefonsluzbowy nrkomorkowy
    numerkomorkowy komorka komorkowy numerkontaktowy nrkontaktowy telkom telkontaktowy
    telefonnummer telefonnr rufnummer rufnr handy handynummer handynr mobil mobilnummer mobilnr
    mobiltelefon mobilfunk mobilfunknummer festnetz festnetznummer telefonprivat
    telefongeschaftlich telefonmobil anrufer anrufernummer
    numerodetelephone numerotelephone numtel numtelephone numerodetel notelephone telephonemobile
    telephonefixe telephoneportable portable mobilephoneprofessionnel numeroappelant
    numerodemobile fixe
    numerodetelefono numerotelefono telefono telefonos telefonomovil telefonofijo telefonocelular
    movil celular numerocelular numeromovil numerodecelular telefonocontacto telefonodecontacto
    telefone telefones telemovel telefonecelular numerodetelefone numerotelefone telefonefixo
    telefonemovel numerodetelemovel
    numeroditelefono numerotel cellulare numerocellulare numerodicellulare telefonocellulare
    recapito recapitotelefonico telefonofisso
    telefoonnummer telefoon telefoonnr mobielnummer mobiel gsm gsmnummer mobieletelefoon
    vastetelefoon
    telefonnicislo telcislo cislotelefonu mobilnitelefon cislomobilu
    телефон телефоны номертелефона мобильныи мобильныителефон
    сотовыи сотовыителефон номерабонента контактныителефон
    рабочиителефон домашниителефон
"""

# They name a number of any kind: of a row, a customer, an order.
_ANY_NUMBER = "number num nr no numer nummer numero cislo nomer номер numbers value"

# Numbers of the company itself, which a caller dialled or that a trunk presents.
_OWN = """
    did dids didnumber didnum ddi ddinumber dnis ownnumber ournumber ournumbers owndid trunknumber
    virtualnumber numerwlasny nasznumer numerprezentowany eigenenummer eigenerufnummer
    numeroprezentado presentednumber outboundcallerid
"""

_NAMES = {
    "date": """
        date data datum fecha added addedon dateadded dateofaddition adddate created createdat
        createdon datecreated createdate createddate createtime insertdate datadodania dodano
        datazgloszenia utworzono datautworzenia dodany erstellt erstelltam erstellungsdatum
        hinzugefugt hinzugefugtam dateajout datedajout dateajoute creele datedecreation creadoel
        creado fechadealta fechacreacion fechadecreacion alta dataadicao datadecriacao criadoem
        dataaggiunta datainserimento datacreazione toegevoegd toegevoegdop datumtoegevoegd
        aangemaakt aangemaaktop pridano vytvoreno datumpridani дата датадобавления датасоздания
        добавлено создано blockedon blockeddate optoutdate dncdate
    """,
    "description": """
        description desc descr note notes comment comments remark remarks reason details label
        callblockdescription opis notatka notatki uwagi komentarz komentarze powod beschreibung
        notiz notizen bemerkung bemerkungen kommentar grund commentaire commentaires remarque
        remarques motif descripcion nota notas comentario comentarios motivo observaciones descricao
        observacao observacoes descrizione commento commenti omschrijving opmerking opmerkingen
        notitie reden popis poznamka poznamky duvod описание заметка заметки комментарии
        комментарии примечание причина
    """,
    "expires": """
        expires expiry expire expiresat expireson expiresion expirydate expirationdate expiration
        validuntil until validto wygasa waznydo waznedo datawaznosci gultigbis ablaufdatum
        expirele valablejusquau dateexpiration caduca caducidad validohasta expiraem validoate
        scadenza validofinoal geldigtot vervaldatum platido platnostdo действуетдо срокдействия
    """,
    "country": """
        countrycode country phonecode dialcode dialingcode diallingcode callingcode
        countrycallingcode countrydialcode countryprefix internationalprefix isocountry countryiso
        callblockcountrycode kodkraju kraj prefikskraju kierunkowykraju landesvorwahl landervorwahl
        laendervorwahl landeskennzahl landercode laendercode land codepays pays indicatif
        indicatifpays codigopais codigodepais pais prefijopais prefijointernacional codigodopais
        prefissointernazionale codicepaese paese landcode landnummer kodzeme zeme predvolbazeme
        кодстраны страна
    """,
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names.split()}
_PHONE_NAMES = frozenset(_PHONE.split())
_ANY_NUMBER_NAMES = frozenset(_ANY_NUMBER.split())
_OWN_NAMES = frozenset(_OWN.split())
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]|[\u0300-\u036f]")


def plain_name(header_cell: str) -> str:
    """`Telefon komórkowy` -> `telefonkomorkowy`."""
    # The stroke of the Polish l is part of the letter, not an accent.
    text = unicodedata.normalize("NFKD", header_cell.casefold()).replace("ł", "l")
    return _NO_LETTER_OR_DIGIT.sub("", text)


def field_named(header_cell: str) -> str | None:
    """Which field a header cell names: number, date, description, expires, country; or None."""
    name = plain_name(header_cell)
    if _is_phone(name) or name in _ANY_NUMBER_NAMES:
        return "number"
    return _FIELD_OF.get(name)


def names_a_phone(header_cell: str) -> bool:
    """Whether it names telephone numbers, not just numbers of some kind."""
    return _is_phone(plain_name(header_cell))


def _is_phone(name: str) -> bool:
    return name in _PHONE_NAMES or name.rstrip("0123456789") in _PHONE_NAMES  # `Telefon 2`


def names_our_numbers(header_cell: str) -> bool:
    return plain_name(header_cell) in _OWN_NAMES
