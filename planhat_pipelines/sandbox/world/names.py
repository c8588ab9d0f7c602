"""Names of people, companies and places in many scripts, each with an ASCII form for mail addresses.

A word is written `native` or, where it is not Latin, `native=ascii`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    native: str
    ascii: str


@dataclass(frozen=True, slots=True)
class Locale:
    """What names look like in one place. `company` is a pattern of stem, trade and legal form."""

    language: str
    country: str
    city: str
    company: str
    stems: tuple[Word, ...]
    trades: tuple[Word, ...]
    given: tuple[Word, ...]
    family: tuple[Word, ...]


def _ascii(text: str) -> str:
    plain = text.lower().translate(
        str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "ß": "ss", "ı": "i", "đ": "d"})
    )
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "", plain)


def _words(text: str) -> tuple[Word, ...]:
    pairs = (word.replace("_", " ").partition("=") for word in text.split())
    return tuple(Word(native, _ascii(roman or native)) for native, _, roman in pairs)


def _locale(
    language: str, place: str, company: str, stems: str, trades: str, given: str, family: str
) -> Locale:
    country, _, city = place.partition(" ")
    words = (_words(stems), _words(trades), _words(given), _words(family))
    return Locale(language, country, city, company, *words)


LOCALES: tuple[Locale, ...] = (
    _locale(
        "en",
        "GB Leeds",
        "{stem} {trade} Ltd",
        "Harrowgate Copperfield Saltmarsh Blackthorn Kestrel Wainwright",
        "Logistics Energy Foods Analytics Healthcare",
        "Amelia Oliver Niamh Siobhán Rhys Zoë",
        "Ashworth O'Connor Fairclough Nwosu Pemberton Singh",
    ),
    _locale(
        "sv",
        "SE Göteborg",
        "{stem} {trade} AB",
        "Nordljus Älvdal Björkö Sjöstjärna Åkerlund Vintergatan",
        "Logistik Energi Livs Teknik Vård",
        "Åsa Björn Märta Göran Linnéa Örjan",
        "Lindström Åberg Sjöholm Öhman Nyström Bergqvist",
    ),
    _locale(
        "da",
        "DK Aarhus",
        "{stem} {trade} A/S",
        "Østersø Havørn Rødkilde Skærgård Lærke Vestfjord",
        "Vind Shipping Mejeri Data Byg",
        "Søren Mette Jørgen Åse Bjørn Kirstine",
        "Sørensen Nørgaard Kjær Østergaard Møller Højlund",
    ),
    _locale(
        "de",
        "DE München",
        "{stem} {trade} GmbH",
        "Grünwald Königstein Süderelbe Weißbach Mühlental Löwenhof",
        "Maschinenbau Optik Spedition Pharma Möbel",
        "Jürgen Käthe Günther Ännchen Björn Heike",
        "Müller Weiß Schröder Größner Köhler Strauß",
    ),
    _locale(
        "fr",
        "FR Besançon",
        "{stem} {trade} SAS",
        "Crémieux Beaupré Hautecœur Île-Dorée Forêt-Noire Valençay",
        "Médias Santé Énergie Transports Conseil",
        "Zoé François Hélène Loïc Anaïs Benoît",
        "Lefèvre D'Août Gauthière Béranger Noël Çelik",
    ),
    _locale(
        "es",
        "ES Málaga",
        "{stem} {trade} S.L.",
        "Peñalara Río_Tinto Almería Sierra_Añil Bahía Jazmín",
        "Logística Alimentación Óptica Turismo Señales",
        "Íñigo Begoña José_María Ángela Óscar Nuria",
        "Núñez Ibáñez Peña Muñoz García-Lorca Yáñez",
    ),
    _locale(
        "pt",
        "BR São Paulo",
        "{stem} {trade} Ltda",
        "Ipê_Amarelo Açaí Jequitibá Maracanã Sertão Araçá",
        "Logística Saúde Mineração Educação Café",
        "João Conceição Antônio Luíza Sebastião Inês",
        "Gonçalves Araújo Simões Brandão Falcão Guimarães",
    ),
    _locale(
        "pl",
        "PL Łódź",
        "{stem} {trade} Sp. z o.o.",
        "Żubrówka Świt Wierzba Złota_Góra Jesień Kąkol",
        "Logistyka Żywność Technika Książki Zdrowie",
        "Łukasz Małgorzata Żaneta Grzegorz Zofia Stanisław",
        "Wójcik Kowalczyk Dąbrowski Żółtowska Gęsicki Łącki",
    ),
    _locale(
        "tr",
        "TR İzmir",
        "{stem} {trade} A.Ş.",
        "Yıldız Güneş Çınar Ilgaz Şafak Boğaz",
        "Lojistik Gıda Yazılım İnşaat Sağlık",
        "İpek Çağla Oğuz Işıl Şükrü Gökçe",
        "Yılmaz Öztürk Şahin Çetin Kılıç Güneş",
    ),
    _locale(
        "el",
        "GR Θεσσαλονίκη",
        "{stem} {trade} Α.Ε.",
        "Αιγαίο=aigaio Όλυμπος=olympos Ηλιος=ilios Θάλασσα=thalassa Κύμα=kyma Αστέρι=asteri",
        "Ναυτιλία=naftilia Ενέργεια=energeia Τρόφιμα=trofima Υγεία=ygeia Εκδόσεις=ekdoseis",
        "Ελένη=eleni Γιώργος=giorgos Σοφία=sofia Νίκος=nikos Κατερίνα=katerina Θανάσης=thanasis",
        "Παπαδόπουλος=papadopoulos Οικονόμου=oikonomou Γεωργίου=georgiou Βλάχος=vlachos Λάμπρου=lamprou",
    ),
    _locale(
        "uk",
        "UA Львів",
        "ТОВ «{stem} {trade}»",
        "Світанок=svitanok Карпати=karpaty Їжак=yizhak Дніпро=dnipro Калина=kalyna Зірка=zirka",
        "Логістика=lohistyka Енергія=enerhiia Хліб=khlib Медіа=media Ґрунт=grunt",
        "Олена=olena Андрій=andrii Їлія=yilia Ганна=hanna Тарас=taras Соломія=solomiia",
        "Шевченко=shevchenko Коваленко=kovalenko Бондар=bondar Щербак=shcherbak Мельник=melnyk",
    ),
    _locale(
        "bg",
        "BG Пловдив",
        "{stem} {trade} ООД",
        "Родопа=rodopa Извор=izvor Зора=zora Тракия=trakiya Бор=bor Розова=rozova",
        "Транспорт=transport Храни=hrani Софтуер=softuer Здраве=zdrave Строеж=stroezh",
        "Мария=mariya Георги=georgi Елица=elitsa Димитър=dimitar Ива=iva Стоян=stoyan",
        "Иванов=ivanov Петрова=petrova Димитров=dimitrov Ангелова=angelova Желев=zhelev",
    ),
    _locale(
        "ar",
        "AE دبي",
        "شركة {stem} {trade}",
        "الواحة=alwaha النخيل=alnakheel الفجر=alfajr اللؤلؤ=allulu الصقر=alsaqr الريان=alrayan",
        "للنقل=naql للطاقة=taqa للأغذية=aghdhiya للبرمجيات=barmajiyat للتأمين=tamin",
        "فاطمة=fatima محمد=mohammed ليلى=layla يوسف=youssef نور=nour خالد=khaled",
        "الحداد=alhaddad النجار=alnajjar القاسمي=alqasimi البستاني=albustani المنصوري=almansouri",
    ),
    _locale(
        "he",
        "IL חיפה",
        "{stem} {trade} בע״מ",
        "הגליל=hagalil כרמל=karmel אלון=alon שחר=shahar ים_תיכון=yamtikhon תמר=tamar",
        "תוכנה=tokhna אנרגיה=energya מזון=mazon תעופה=teufa בריאות=briut",
        "נועה=noa איתן=eitan יעל=yael אריאל=ariel שירה=shira משה=moshe",
        "כהן=cohen לוי=levi מזרחי=mizrahi פרידמן=friedman ביטון=biton",
    ),
    _locale(
        "hi",
        "IN पुणे",
        "{stem} {trade} प्रा. लि.",
        "सूर्योदय=suryoday हिमालय=himalay गंगा=ganga कमल=kamal वसंत=vasant नीलम=neelam",
        "परिवहन=parivahan ऊर्जा=urja खाद्य=khadya तकनीक=takneek स्वास्थ्य=swasthya",
        "अनन्या=ananya राहुल=rahul प्रिया=priya विक्रम=vikram मीरा=meera अर्जुन=arjun",
        "शर्मा=sharma वर्मा=verma देशपांडे=deshpande कुलकर्णी=kulkarni जोशी=joshi",
    ),
    _locale(
        "th",
        "TH เชียงใหม่",
        "บริษัท {stem}{trade} จำกัด",
        "ช้างทอง=changthong ดอกบัว=dokbua รุ่งเรือง=rungrueang สยามใหม่=siammai ฟ้าใส=fasai น้ำเพชร=namphet",
        "ขนส่ง=khonsong อาหาร=ahan พลังงาน=phalangngan ซอฟต์แวร์=sofwae ประกันภัย=prakanphai",
        "สมชาย=somchai มาลี=malee กัญญา=kanya ธนา=thana ปิยะ=piya อรทัย=orathai",
        "ศรีสุข=srisuk ทองดี=thongdee วงศ์ใหญ่=wongyai แสงจันทร์=saengchan บุญมี=boonmee",
    ),
    _locale(
        "zh",
        "CN 杭州",
        "{stem}{trade}有限公司",
        "星河=xinghe 青松=qingsong 长江=changjiang 明月=mingyue 东方=dongfang 云海=yunhai",
        "物流=wuliu 能源=nengyuan 食品=shipin 软件=ruanjian 医疗=yiliao",
        "伟=wei 芳=fang 秀英=xiuying 敏=min 静怡=jingyi 子轩=zixuan",
        "王=wang 李=li 张=zhang 欧阳=ouyang 陈=chen 赵=zhao",
    ),
    _locale(
        "ja",
        "JP 札幌",
        "株式会社{stem}{trade}",
        "みらい=mirai さくら=sakura 富士=fuji 北斗=hokuto あおぞら=aozora 千鳥=chidori",
        "物流=butsuryu 電機=denki 食品=shokuhin システム=system 保険=hoken",
        "陽子=yoko 健太=kenta さやか=sayaka 大輔=daisuke ユイ=yui 翔=sho",
        "佐藤=sato 鈴木=suzuki 髙橋=takahashi 田中=tanaka 渡邊=watanabe",
    ),
    _locale(
        "ko",
        "KR 부산",
        "주식회사 {stem}{trade}",
        "한빛=hanbit 무지개=mujigae 백두=baekdu 새별=saebyeol 가온=gaon 은하=eunha",
        "물류=mullyu 에너지=eneoji 식품=sikpum 소프트=soft 의료=uiryo",
        "지훈=jihun 서연=seoyeon 민준=minjun 하은=haeun 도윤=doyun 수빈=subin",
        "김=kim 이=lee 박=park 최=choi 정=jung",
    ),
    _locale(
        "vi",
        "VN Huế",
        "Công ty {stem} {trade}",
        "Hoa_Sen Bình_Minh Sông_Hương Trường_Sơn Đại_Dương Ánh_Sao",
        "Vận_Tải Thực_Phẩm Năng_Lượng Phần_Mềm Y_Tế",
        "Nguyệt Đức Hằng Tuấn Thảo Dũng",
        "Nguyễn Trần Phạm Đặng Vũ Hoàng",
    ),
)
