//! The XML of a registration: `<hotich><hoso>` with one element per field. Which fields there are, and what they may
//! hold.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};

use crate::catalogue::{COUNTRIES, ETHNIC_GROUPS};
use crate::form::{Faults, is_telephone};
use crate::time;
use crate::world::World;

/// At most so many bytes of XML.
const LONGEST_MESSAGE: usize = 256 << 10;
/// At most so many characters of a field.
const LONGEST_FIELD: usize = 2000;

/// What is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Module {
    #[serde(rename = "KS")]
    Birth,
    #[serde(rename = "KH")]
    Marriage,
    #[serde(rename = "KT")]
    Death,
}

impl Module {
    pub(crate) fn coded(code: &str) -> Option<Self> {
        match code {
            "KS" => Some(Self::Birth),
            "KH" => Some(Self::Marriage),
            "KT" => Some(Self::Death),
            _ => None,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Birth => "KS",
            Self::Marriage => "KH",
            Self::Death => "KT",
        }
    }
}

/// The fields of a registration, by their names.
pub(crate) type Fields = BTreeMap<String, String>;

/// Reads the message. Empty elements are fields that are not given.
pub(crate) fn read(xml: &str) -> Result<Fields, String> {
    if xml.len() > LONGEST_MESSAGE {
        return Err(format!("tối đa {LONGEST_MESSAGE} byte"));
    }
    let mut reader = Reader::from_str(xml);
    let mut fields = Fields::new();
    let mut depth = 0;
    let mut text = String::new();
    loop {
        let event = reader.read_event().map_err(|error| format!("không phải XML: {error}"))?;
        match event {
            Event::Start(start) | Event::Empty(start) if !start.attributes_raw().trim().is_empty() => {
                return Err(format!("phần tử {} không được có thuộc tính", start.name().as_ref()));
            }
            Event::Start(start) => {
                let name = start.name();
                match (depth, name.as_ref()) {
                    (0, "hotich") if fields.is_empty() => {}
                    (1, "hoso") if fields.is_empty() => {}
                    (2, _) => text.clear(),
                    (_, other) => return Err(format!("phần tử {other} không ở đúng chỗ")),
                }
                depth += 1;
            }
            Event::Empty(empty) if depth == 2 => insert(&mut fields, empty.name().as_ref(), "")?,
            Event::Empty(empty) => return Err(format!("phần tử {} không ở đúng chỗ", empty.name().as_ref())),
            Event::End(end) => {
                depth -= 1;
                if depth == 2 {
                    insert(&mut fields, end.name().as_ref(), text.trim())?;
                }
            }
            Event::Text(piece) if depth == 3 => text.push_str(&piece.xml10_content()),
            Event::CData(piece) if depth == 3 => text.push_str(&piece.xml10_content()),
            Event::Text(piece) if piece.xml10_content().trim().is_empty() => {}
            Event::GeneralRef(reference) if depth == 3 => text.push(resolve(&reference)?),
            Event::Comment(_) | Event::Decl(_) => {}
            Event::Eof if depth == 0 => break,
            Event::Eof => return Err("không phải XML: kết thúc giữa chừng".to_owned()),
            Event::DocType(_) => return Err("không được có khai báo DOCTYPE".to_owned()),
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) | Event::PI(_) => {
                return Err("nội dung không ở đúng chỗ".to_owned());
            }
        }
    }
    fields.retain(|_, value| !value.is_empty());
    Ok(fields)
}

fn insert(fields: &mut Fields, name: &str, value: &str) -> Result<(), String> {
    match fields.insert(name.to_owned(), value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(format!("phần tử {name} lặp lại")),
    }
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, String> {
    let name = reference.xml10_content();
    let known = match name.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    };
    known.ok_or_else(|| format!("thực thể &{name}; không được phép"))
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// `dd.MM.yyyy`.
    Day,
    /// `dd.MM.yyyy`, `MM.yyyy` or `yyyy`.
    PartOfDay,
    /// `HH:mm`.
    Clock,
    /// One digit of the closed range.
    Code(u8, u8),
    Count,
    EthnicGroup,
    Nationality,
    Province,
    Telephone,
}

struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn need(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

use Kind::{Clock, Code, Count, Day, EthnicGroup, Nationality, PartOfDay, Province, Telephone, Text};

const GENDER: Kind = Code(1, 3);
const RESIDENCE: Kind = Code(0, 2);
const PAPER: Kind = Code(0, 8);

/// In every module.
const COMMON: &[Field] = &[
    need("loaiDangKy", Code(1, 4)),
    may("noiDangKy", Text),
    may("soLuongBanSao", Count),
    may("nycLoaiGiayToTuyThan", PAPER),
    may("nycSoGiayToTuyThan", Text),
    may("nycNgayCapGiayToTuyThan", Day),
    may("nycNoiCapGiayToTuyThan", Text),
    may("nycSoDienThoai", Telephone),
    may("nycEmail", Text),
    may("ghiChu", Text),
];

const BIRTH: &[Field] = &[
    need("nksHoTen", Text),
    need("nksGioiTinh", GENDER),
    need("nksNgaySinh", Day),
    need("nksNoiSinh", Text),
    need("nksQueQuan", Text),
    need("nksDanToc", EthnicGroup),
    need("nksQuocTich", Nationality),
    need("meHoTen", Text),
    need("meNgaySinh", PartOfDay),
    need("nycHoTen", Text),
    need("nycQuanHe", Text),
    may("maGCS", Text),
    may("nksNgaySinhBangChu", Text),
    may("nksNoiSinhDVHC", Province),
    may("nksLoaiKhaiSinh", Code(1, 5)),
    may("meDanToc", EthnicGroup),
    may("meQuocTich", Nationality),
    may("meLoaiCuTru", RESIDENCE),
    may("meNoiCuTru", Text),
    may("meLoaiGiayToTuyThan", PAPER),
    may("meSoGiayToTuyThan", Text),
    may("chaHoTen", Text),
    may("chaNgaySinh", PartOfDay),
    may("chaDanToc", EthnicGroup),
    may("chaQuocTich", Nationality),
    may("chaLoaiCuTru", RESIDENCE),
    may("chaNoiCuTru", Text),
    may("chaLoaiGiayToTuyThan", PAPER),
    may("chaSoGiayToTuyThan", Text),
];

const MARRIAGE: &[Field] = &[
    need("chongHoTen", Text),
    need("chongNgaySinh", PartOfDay),
    need("chongDanToc", EthnicGroup),
    need("chongQuocTich", Nationality),
    need("chongNoiCuTru", Text),
    need("chongLoaiGiayToTuyThan", PAPER),
    need("chongSoGiayToTuyThan", Text),
    need("voHoTen", Text),
    need("voNgaySinh", PartOfDay),
    need("voDanToc", EthnicGroup),
    need("voQuocTich", Nationality),
    need("voNoiCuTru", Text),
    need("voLoaiGiayToTuyThan", PAPER),
    need("voSoGiayToTuyThan", Text),
    may("chongLoaiCuTru", RESIDENCE),
    may("chongNgayCapGiayToTuyThan", Day),
    may("chongNoiCapGiayToTuyThan", Text),
    may("voLoaiCuTru", RESIDENCE),
    may("voNgayCapGiayToTuyThan", Day),
    may("voNoiCapGiayToTuyThan", Text),
    may("nycHoTen", Text),
    may("nycQuanHe", Text),
];

const DEATH: &[Field] = &[
    need("nktHoTen", Text),
    need("nktGioiTinh", GENDER),
    need("nktNgaySinh", PartOfDay),
    need("nktDanToc", EthnicGroup),
    need("nktQuocTich", Nationality),
    need("nktNgayChet", Day),
    need("nktNoiChet", Text),
    need("nycHoTen", Text),
    need("nycQuanHe", Text),
    may("maGBT", Text),
    may("ngayCapGBT", Day),
    may("nktLoaiCuTru", RESIDENCE),
    may("nktNoiCuTru", Text),
    may("nktLoaiGiayToTuyThan", PAPER),
    may("nktSoGiayToTuyThan", Text),
    may("nktNgayCapGiayToTuyThan", Day),
    may("nktNoiCapGiayToTuyThan", Text),
    may("nktGioPhutChet", Clock),
    may("nktNguyenNhanChet", Text),
    may("gbtLoai", Code(1, 3)),
    may("gbtSo", Text),
    may("gbtNgay", Day),
    may("gbtCoQuanCap", Text),
];

/// Who is named in a registration, by the beginning of the fields.
pub(crate) fn people(module: Module) -> &'static [&'static str] {
    match module {
        Module::Birth => &["me", "cha", "nyc"],
        Module::Marriage => &["chong", "vo", "nyc"],
        Module::Death => &["nkt", "nyc"],
    }
}

/// The personal identification number that stands for somebody in a registration.
pub(crate) fn person<'a>(fields: &'a Fields, who: &str) -> Option<&'a str> {
    let card = fields.get(&format!("{who}LoaiGiayToTuyThan")).is_some_and(|kind| kind == "4");
    fields.get(&format!("{who}SoGiayToTuyThan")).filter(|_| card).map(String::as_str)
}

/// Looks at every field for itself, then at what they say together.
pub(crate) fn check(module: Module, fields: &Fields, world: &World, faults: &Faults) {
    let own = match module {
        Module::Birth => BIRTH,
        Module::Marriage => MARRIAGE,
        Module::Death => DEATH,
    };
    let known = || own.iter().chain(COMMON);
    for field in known() {
        match fields.get(field.name) {
            None if field.required => faults.add(field.name, "thiếu"),
            None => {}
            Some(value) => {
                if let Err(reason) = check_field(field.kind, value, world) {
                    faults.add(field.name, &reason);
                }
            }
        }
    }
    for name in fields.keys().filter(|name| known().all(|field| field.name != name.as_str())) {
        faults.add("data", &format!("phần tử {name} không có trong nghiệp vụ {}", module.code()));
    }
    check_together(module, fields, world, faults);
}

fn check_field(kind: Kind, value: &str, world: &World) -> Result<(), String> {
    let (right, expected) = match kind {
        Text => (value.chars().count() <= LONGEST_FIELD, format!("tối đa {LONGEST_FIELD} ký tự")),
        Day => (day(value).is_some(), "phải là ngày dd.MM.yyyy".to_owned()),
        PartOfDay => (
            day(value).is_some()
                || time::date(&format!("01.{value}"), "%d.%m.%Y", 10).is_some()
                || time::date(&format!("01.01.{value}"), "%d.%m.%Y", 10).is_some(),
            "phải là ngày dd.MM.yyyy, MM.yyyy hoặc yyyy".to_owned(),
        ),
        Clock => {
            (value.len() == 5 && Time::strptime("%H:%M", value).is_ok(), "phải là giờ phút HH:mm".to_owned())
        }
        Code(low, high) => {
            let right = value.len() == 1 && value.parse().is_ok_and(|code: u8| (low..=high).contains(&code));
            (right, format!("phải là mã từ {low} đến {high}"))
        }
        Count => {
            (value.parse().is_ok_and(|count: u32| count <= 100), "phải là số nguyên từ 0 đến 100".to_owned())
        }
        EthnicGroup => (ETHNIC_GROUPS.contains(&value), "không có trong danh mục dân tộc".to_owned()),
        Nationality => {
            (COUNTRIES.iter().any(|(_, name)| *name == value), "không có trong danh mục quốc tịch".to_owned())
        }
        Province => (
            world.units.provinces.iter().any(|province| province.code == value),
            "không có trong danh mục tỉnh".to_owned(),
        ),
        Telephone => (is_telephone(value), "phải gồm 8 đến 15 chữ số".to_owned()),
    };
    if right { Ok(()) } else { Err(expected) }
}

fn check_together(module: Module, fields: &Fields, world: &World, faults: &Faults) {
    for who in people(module) {
        let Some(number) = person(fields, who) else { continue };
        let member = format!("{who}SoGiayToTuyThan");
        if number.len() != 12 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            faults.add(&member, "phải gồm 12 chữ số");
        } else if let Some(citizen) = world.population.by_id(number)
            && let Some(name) = fields.get(&format!("{who}HoTen"))
            && crate::citizens::comparable(name) != crate::citizens::comparable(&citizen.name)
        {
            faults.add(&member, "không khớp với họ tên");
        }
    }
    let given = |name: &str| fields.get(name).and_then(|value| day(value));
    if given("nksNgaySinh").is_some_and(|day| day.year() < 1900) {
        faults.add("nksNgaySinh", "trước năm 1900");
    }
    for name in ["nksNgaySinh", "nktNgayChet"] {
        if given(name).is_some_and(|day| day > world.today()) {
            faults.add(name, "ở trong tương lai");
        }
    }
    if let (Some(birth), Some(death)) = (given("nktNgaySinh"), given("nktNgayChet"))
        && death < birth
    {
        faults.add("nktNgayChet", "trước ngày sinh");
    }
}

fn day(value: &str) -> Option<Date> {
    time::date(value, "%d.%m.%Y", 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields_of(inner: &str) -> Result<Fields, String> {
        read(&format!("<?xml version=\"1.0\"?>\n<hotich>\n <hoso>{inner}</hoso>\n</hotich>"))
    }

    #[test]
    fn fields_are_read() {
        let fields =
            fields_of("<a> Nguyễn &amp; Trần &#x111; </a><!-- x --><b/><c></c><d><![CDATA[<e>]]></d>")
                .unwrap();
        let expected = [("a", "Nguyễn & Trần đ"), ("d", "<e>")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (wrong, reason) in [
            ("", None),
            ("<hotich><hoso><a>1</a></hoso>", Some("kết thúc giữa chừng")),
            ("<hotich><hoso><a>1</b></hoso></hotich>", Some("không phải XML")),
            ("<hotich><a>1</a></hotich>", Some("không ở đúng chỗ")),
            ("<hotich><hoso><a><b>1</b></a></hoso></hotich>", Some("không ở đúng chỗ")),
            ("<hotich><hoso><a>1</a><a>2</a></hoso></hotich>", Some("lặp lại")),
            ("<hotich><hoso><a x='1'>1</a></hoso></hotich>", Some("thuộc tính")),
            ("<hotich><hoso>text</hoso></hotich>", Some("không ở đúng chỗ")),
            ("<!DOCTYPE hotich [<!ENTITY x 'y'>]><hotich><hoso><a>&x;</a></hoso></hotich>", Some("DOCTYPE")),
            ("<hotich><hoso><a>&x;</a></hoso></hotich>", Some("&x;")),
            ("<hotich><hoso><a>1</a></hoso></hotich><hotich/>", Some("không ở đúng chỗ")),
        ] {
            match (read(wrong), reason) {
                (Err(error), Some(reason)) => assert!(error.contains(reason), "{wrong}: {error}"),
                (Ok(fields), None) => assert!(fields.is_empty()),
                (other, _) => panic!("{wrong}: {other:?}"),
            }
        }
        assert!(read(&"x".repeat(LONGEST_MESSAGE + 1)).is_err());
    }
}
