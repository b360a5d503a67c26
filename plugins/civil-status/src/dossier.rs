//! Dossiers: the contract's records as the register's XML, and the register's fields as places in the contract's records.

use truc_sdk::Problem;
use truc_sdk::calendar::Date;

use crate::bindings::exports::lgsp::civil_status::registry::{
    BirthDossier, Child, Death, DeathDossier, Deceased, Intake, MarriageDossier, Paper, Parent, Requester,
    Residence, Spouse,
};
use crate::codes::{Numbered, dotted};
use crate::xml::Fields;

const NO_DATE: &str = "this date does not exist";

/// The `data` of a birth.
pub(crate) fn birth(dossier: &BirthDossier) -> Result<String, Problem> {
    let mut fields = Fields::new(pointer);
    intake(&mut fields, &dossier.intake);
    fields.put_some("", "maGCS", dossier.birth_certificate.as_deref());
    child(&mut fields, &dossier.child);
    parent(&mut fields, "me", &dossier.mother);
    if let Some(father) = &dossier.father {
        parent(&mut fields, "cha", father);
    }
    requester(&mut fields, &dossier.requester);
    fields.finish()
}

/// The `data` of a marriage.
pub(crate) fn marriage(dossier: &MarriageDossier) -> Result<String, Problem> {
    let mut fields = Fields::new(pointer);
    intake(&mut fields, &dossier.intake);
    spouse(&mut fields, "chong", &dossier.husband);
    spouse(&mut fields, "vo", &dossier.wife);
    if let Some(by) = &dossier.requester {
        requester(&mut fields, by);
    }
    fields.finish()
}

/// The `data` of a death.
pub(crate) fn death(dossier: &DeathDossier) -> Result<String, Problem> {
    let mut fields = Fields::new(pointer);
    intake(&mut fields, &dossier.intake);
    deceased(&mut fields, &dossier.deceased);
    circumstances(&mut fields, &dossier.death);
    requester(&mut fields, &dossier.requester);
    fields.finish()
}

fn intake(fields: &mut Fields, intake: &Intake) {
    fields.put("", "loaiDangKy", intake.registration.number());
    fields.put_some("", "soLuongBanSao", intake.copies.map(|copies| copies.to_string()).as_deref());
    fields.put_some("", "ghiChu", intake.note.as_deref());
}

fn child(fields: &mut Fields, child: &Child) {
    fields.put("nks", "HoTen", &child.name);
    fields.put("nks", "GioiTinh", child.sex.number());
    day(fields, "nks", "NgaySinh", &child.born);
    fields.put("nks", "NoiSinh", &child.place_of_birth);
    fields.put_some("nks", "NoiSinhDVHC", child.province_of_birth.as_deref());
    fields.put("nks", "QueQuan", &child.native_place);
    fields.put("nks", "DanToc", &child.ethnic_group);
    fields.put("nks", "QuocTich", &child.nationality);
}

fn parent(fields: &mut Fields, who: &str, parent: &Parent) {
    fields.put(who, "HoTen", &parent.name);
    born(fields, who, &parent.born);
    fields.put_some(who, "DanToc", parent.ethnic_group.as_deref());
    fields.put_some(who, "QuocTich", parent.nationality.as_deref());
    residence(fields, who, parent.residence.as_ref());
    if let Some(paper) = &parent.paper {
        fields.put(who, "LoaiGiayToTuyThan", paper.kind.number());
        fields.put(who, "SoGiayToTuyThan", &paper.number);
    }
}

fn spouse(fields: &mut Fields, who: &str, spouse: &Spouse) {
    fields.put(who, "HoTen", &spouse.name);
    born(fields, who, &spouse.born);
    fields.put(who, "DanToc", &spouse.ethnic_group);
    fields.put(who, "QuocTich", &spouse.nationality);
    residence(fields, who, Some(&spouse.residence));
    paper(fields, who, Some(&spouse.paper));
}

fn deceased(fields: &mut Fields, person: &Deceased) {
    fields.put("nkt", "HoTen", &person.name);
    fields.put("nkt", "GioiTinh", person.sex.number());
    born(fields, "nkt", &person.born);
    fields.put("nkt", "DanToc", &person.ethnic_group);
    fields.put("nkt", "QuocTich", &person.nationality);
    residence(fields, "nkt", person.residence.as_ref());
    paper(fields, "nkt", person.paper.as_ref());
}

fn circumstances(fields: &mut Fields, death: &Death) {
    day(fields, "nkt", "NgayChet", &death.died_on);
    fields.put_some("nkt", "GioPhutChet", death.died_at.as_deref());
    fields.put("nkt", "NoiChet", &death.place);
    fields.put_some("nkt", "NguyenNhanChet", death.cause.as_deref());
    if let Some(notice) = &death.notice {
        fields.put("gbt", "Loai", notice.kind.number());
        fields.put("gbt", "So", &notice.number);
        day(fields, "gbt", "Ngay", &notice.issued_on);
        fields.put("gbt", "CoQuanCap", &notice.issued_by);
    }
}

fn requester(fields: &mut Fields, requester: &Requester) {
    fields.put("nyc", "HoTen", &requester.name);
    fields.put("nyc", "QuanHe", &requester.relationship);
    paper(fields, "nyc", requester.paper.as_ref());
    fields.put_some("nyc", "SoDienThoai", requester.phone.as_deref());
    fields.put_some("nyc", "Email", requester.email.as_deref());
}

fn residence(fields: &mut Fields, who: &str, residence: Option<&Residence>) {
    if let Some(residence) = residence {
        fields.put(who, "LoaiCuTru", residence.kind.number());
        fields.put(who, "NoiCuTru", &residence.address);
    }
}

fn paper(fields: &mut Fields, who: &str, paper: Option<&Paper>) {
    if let Some(paper) = paper {
        fields.put(who, "LoaiGiayToTuyThan", paper.kind.number());
        fields.put(who, "SoGiayToTuyThan", &paper.number);
        if let Some(issued_on) = &paper.issued_on {
            day(fields, who, "NgayCapGiayToTuyThan", issued_on);
        }
        fields.put_some(who, "NoiCapGiayToTuyThan", paper.issued_by.as_deref());
    }
}

fn born(fields: &mut Fields, who: &str, date: &str) {
    fields.put_or_fault(who, "NgaySinh", dotted(date), NO_DATE);
}

fn day(fields: &mut Fields, who: &str, name: &str, date: &str) {
    fields.put_or_fault(who, name, Date::from_iso(date).map(Date::dotted), NO_DATE);
}

/// The register's fields that stand alone.
const FIELDS: &[(&str, &str)] = &[
    ("maDonVi", "/intake/receivingUnit"),
    ("maHoSo", "/intake/dossier"),
    ("ngayTiepNhan", "/intake/receivedOn"),
    ("loaiDangKy", "/intake/registration"),
    ("soLuongBanSao", "/intake/copies"),
    ("ghiChu", "/intake/note"),
    ("maGCS", "/birthCertificate"),
    ("nktNgayChet", "/death/diedOn"),
    ("nktGioPhutChet", "/death/diedAt"),
    ("nktNoiChet", "/death/place"),
    ("nktNguyenNhanChet", "/death/cause"),
    ("gbtLoai", "/death/notice/kind"),
    ("gbtSo", "/death/notice/number"),
    ("gbtNgay", "/death/notice/issuedOn"),
    ("gbtCoQuanCap", "/death/notice/issuedBy"),
];

/// Whom a field's first letters mean.
const PEOPLE: &[(&str, &str)] = &[
    ("nks", "/child"),
    ("me", "/mother"),
    ("cha", "/father"),
    ("chong", "/husband"),
    ("vo", "/wife"),
    ("nkt", "/deceased"),
    ("nyc", "/requester"),
];

/// What the rest of a person's field means.
const MEMBERS: &[(&str, &str)] = &[
    ("HoTen", "/name"),
    ("GioiTinh", "/sex"),
    ("NgaySinh", "/born"),
    ("NoiSinh", "/placeOfBirth"),
    ("NoiSinhDVHC", "/provinceOfBirth"),
    ("QueQuan", "/nativePlace"),
    ("DanToc", "/ethnicGroup"),
    ("QuocTich", "/nationality"),
    ("LoaiCuTru", "/residence/kind"),
    ("NoiCuTru", "/residence/address"),
    ("LoaiGiayToTuyThan", "/paper/kind"),
    ("SoGiayToTuyThan", "/paper/number"),
    ("NgayCapGiayToTuyThan", "/paper/issuedOn"),
    ("NoiCapGiayToTuyThan", "/paper/issuedBy"),
    ("QuanHe", "/relationship"),
    ("SoDienThoai", "/phone"),
    ("Email", "/email"),
];

/// Where a field of the register's comes from in a dossier, as a JSON Pointer.
pub(crate) fn pointer(field: &str) -> Option<String> {
    let named = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, pointer)| *pointer)
    };
    if let Some(pointer) = named(FIELDS, field) {
        return Some(pointer.to_owned());
    }
    PEOPLE.iter().find_map(|(prefix, person)| {
        let member = named(MEMBERS, field.strip_prefix(prefix)?)?;
        Some(format!("{person}{member}"))
    })
}

/// The places in a dossier of the fields that a text names.
pub(crate) fn fields_named_in(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(pointer).collect()
}
