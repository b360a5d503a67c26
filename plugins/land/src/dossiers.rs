//! The interface `dossiers`: dossiers on their way through the land system.

use serde::{Deserialize, Serialize};
use truc_sdk::encoding::Base64;
use truc_sdk::types::Money;
use truc_sdk::{Error, Problem, config};

use crate::Connector;
use crate::bindings::exports::lgsp::land::dossiers::{
    Applicant, ClaimedParcel, Dossier, DossierState, DossierStatus, Guest, Level, Paper, Procedure, Receipt,
    Supplement, Tax, TaxNotice, TaxResult,
};
use crate::wire::{ask, land, moment, read_moment, some, strange, ward_number};

/// The largest file that the land system takes.
const LARGEST_FILE: usize = 5 << 20;

impl Guest for Connector {
    fn send_dossier(dossier: Dossier) -> Result<Receipt, Problem> {
        let number = ask(land().post("/tiepnhan").json(&TiepNhan::new(&dossier)?)?)?;
        Ok(Receipt { code: dossier.code, number })
    }

    fn check_dossier(code: String) -> Result<DossierStatus, Problem> {
        let status: HoSo = ask(land().get("/hoso/{SoBienNhan}").parameter("SoBienNhan", code))?;
        Ok(DossierStatus {
            code: status.so_bien_nhan,
            state: match status.trang_thai {
                1 => DossierState::Received,
                2 => DossierState::NeedsSupplement,
                3 => DossierState::Processing,
                4 => DossierState::AwaitingPayment,
                5 => DossierState::ResultReady,
                6 => DossierState::HandedOver,
                other => return Err(strange(format!("a dossier's `TrangThai` is {other}"))),
            },
            description: status.ten_trang_thai,
            received_at: read_moment(&status.ngay_tiep_nhan)?.rfc3339(),
            due_at: read_moment(&status.ngay_hen_tra)?.rfc3339(),
            changed_at: read_moment(&status.ngay_cap_nhat)?.rfc3339(),
            note: some(status.ghi_chu),
        })
    }

    fn supplement_dossier(code: String, supplement: Supplement) -> Result<Receipt, Problem> {
        let body = BoSung {
            so_bien_nhan: &code,
            ngay_hen_tra_moi: moment(&supplement.due_at, "/dueAt")?,
            ghi_chu: supplement.note.as_deref(),
            danh_sach_giay_to_bo_sung: papers(&supplement.papers)?,
        };
        let number = ask(land().post("/capnhattrangthaibosunghoso").json(&body)?)?;
        Ok(Receipt { code, number })
    }

    fn report_hand_over(code: String, handed_over_at: String) -> Result<(), Problem> {
        let body = TraKetQua { so_bien_nhan: &code, ngay_tra: moment(&handed_over_at, "/handedOverAt")? };
        let _number: i64 = ask(land().post("/capnhattrangthaitraketquahoso").json(&body)?)?;
        Ok(())
    }

    fn get_tax_result(code: String) -> Result<TaxResult, Problem> {
        let result: KetQuaThue = ask(land().get("/ketquathue/{SoBienNhan}").parameter("SoBienNhan", code))?;
        let notices = result.danh_sach_thong_bao_thue.into_iter().map(TaxNotice::try_from);
        Ok(TaxResult {
            code: result.so_bien_nhan,
            processed_by: result.nguoi_xu_ly,
            assessed_at: read_moment(&result.ngay_co_ket_qua_thue)?.rfc3339(),
            note: some(result.ghi_chu),
            notices: notices.collect::<Result<_, _>>()?,
        })
    }
}

/// A dossier as the land system wants it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TiepNhan<'a> {
    la_quy_trinh_cap_tinh: bool,
    tinh_id: u32,
    /// Districts ended on 2025-07-01; the field is still asked for.
    huyen_id: u32,
    xa_id: u32,
    so_bien_nhan: &'a str,
    ma_ho_so_mot_cua: &'a str,
    nguoi_tiep_nhan: Option<&'a str>,
    ngay_tiep_nhan: String,
    ngay_hen_tra: String,
    dia_chi_tai_san: Option<&'a str>,
    thong_tin_nguoi_nop_don: NguoiNopDon<'a>,
    thong_tin_quy_trinh: QuyTrinh<'a>,
    thong_tin_thua_dat: Vec<ThuaDat<'a>>,
    danh_sach_giay_to_dinh_kem: Vec<GiayTo<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NguoiNopDon<'a> {
    ho_ten: &'a str,
    so_chung_minh: &'a str,
    dia_chi_chi_tiet: Option<&'a str>,
    so_dien_thoai: Option<&'a str>,
    email: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QuyTrinh<'a> {
    ma_quy_trinh: &'a str,
    ten_quy_trinh: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ThuaDat<'a> {
    so_thu_tu_thua: &'a str,
    so_hieu_ban_do: &'a str,
    dien_tich: Option<f64>,
    dia_chi_chi_tiet: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GiayTo<'a> {
    ten_giay_to: &'a str,
    so_ban_chinh: u32,
    so_ban_sao: u32,
    tap_tin: TapTin<'a>,
}

#[derive(Serialize)]
struct TapTin<'a> {
    name: &'a str,
    data: Base64<'a>,
}

impl<'a> TiepNhan<'a> {
    fn new(dossier: &'a Dossier) -> Result<Self, Problem> {
        Ok(Self {
            la_quy_trinh_cap_tinh: dossier.level == Level::Province,
            tinh_id: province()?,
            huyen_id: 0,
            xa_id: ward_number(&dossier.ward)?,
            so_bien_nhan: &dossier.code,
            ma_ho_so_mot_cua: &dossier.code,
            nguoi_tiep_nhan: dossier.received_by.as_deref(),
            ngay_tiep_nhan: moment(&dossier.received_at, "/receivedAt")?,
            ngay_hen_tra: moment(&dossier.due_at, "/dueAt")?,
            dia_chi_tai_san: dossier.property_address.as_deref(),
            thong_tin_nguoi_nop_don: NguoiNopDon::from(&dossier.applicant),
            thong_tin_quy_trinh: QuyTrinh::from(&dossier.procedure),
            thong_tin_thua_dat: dossier.parcels.iter().map(ThuaDat::from).collect(),
            danh_sach_giay_to_dinh_kem: papers(&dossier.papers)?,
        })
    }
}

impl<'a> From<&'a Applicant> for NguoiNopDon<'a> {
    fn from(applicant: &'a Applicant) -> Self {
        Self {
            ho_ten: &applicant.name,
            so_chung_minh: &applicant.identity_number,
            dia_chi_chi_tiet: applicant.address.as_deref(),
            so_dien_thoai: applicant.phone.as_deref(),
            email: applicant.email.as_deref(),
        }
    }
}

impl<'a> From<&'a Procedure> for QuyTrinh<'a> {
    fn from(procedure: &'a Procedure) -> Self {
        Self { ma_quy_trinh: &procedure.code, ten_quy_trinh: procedure.name.as_deref() }
    }
}

impl<'a> From<&'a ClaimedParcel> for ThuaDat<'a> {
    fn from(parcel: &'a ClaimedParcel) -> Self {
        Self {
            so_thu_tu_thua: &parcel.number,
            so_hieu_ban_do: &parcel.sheet,
            dien_tich: parcel.area,
            dia_chi_chi_tiet: parcel.address.as_deref(),
        }
    }
}

fn papers(papers: &[Paper]) -> Result<Vec<GiayTo<'_>>, Problem> {
    papers
        .iter()
        .enumerate()
        .map(|(index, paper)| {
            if paper.file.content.len() > LARGEST_FILE {
                let pointer = format!("/papers/{index}/file/content");
                return Err(Problem::fault(pointer, "the land system takes files of at most 5 MiB"));
            }
            Ok(GiayTo {
                ten_giay_to: &paper.name,
                so_ban_chinh: paper.originals,
                so_ban_sao: paper.copies,
                tap_tin: TapTin { name: &paper.file.name, data: Base64(&paper.file.content) },
            })
        })
        .collect()
}

/// The province that the platform serves, as the system's `TinhId`.
fn province() -> Result<u32, Error> {
    const KEY: &str = "province-code";
    config::text(KEY)?.parse().map_err(|_| Error::Config {
        key: KEY.to_owned(),
        detail: "is not the two digits of a province".to_owned(),
    })
}

/// A supplement as the land system wants it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BoSung<'a> {
    so_bien_nhan: &'a str,
    ngay_hen_tra_moi: String,
    ghi_chu: Option<&'a str>,
    danh_sach_giay_to_bo_sung: Vec<GiayTo<'a>>,
}

/// A hand-over as the land system wants it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TraKetQua<'a> {
    so_bien_nhan: &'a str,
    ngay_tra: String,
}

/// A dossier's state as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HoSo {
    so_bien_nhan: String,
    trang_thai: u8,
    ten_trang_thai: String,
    ngay_tiep_nhan: String,
    ngay_hen_tra: String,
    ngay_cap_nhat: String,
    ghi_chu: Option<String>,
}

/// A tax result as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KetQuaThue {
    so_bien_nhan: String,
    nguoi_xu_ly: String,
    ngay_co_ket_qua_thue: String,
    ghi_chu: Option<String>,
    danh_sach_thong_bao_thue: Vec<ThongBaoThue>,
}

/// A tax notice as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ThongBaoThue {
    ho_ten_chu: String,
    loai_thue: String,
    so_thong_bao_thue: String,
    so_tien: u64,
    duong_dan_thong_bao_thue: Option<String>,
}

impl TryFrom<ThongBaoThue> for TaxNotice {
    type Error = Problem;

    fn try_from(notice: ThongBaoThue) -> Result<Self, Problem> {
        Ok(Self {
            payer: notice.ho_ten_chu,
            tax: match notice.loai_thue.as_str() {
                "LPTB" => Tax::RegistrationFee,
                "TNCN" => Tax::IncomeTax,
                _ => return Err(strange("a notice's `LoaiThue` is unknown")),
            },
            number: notice.so_thong_bao_thue,
            amount: Money { amount: notice.so_tien, currency: "VND".to_owned() },
            document: some(notice.duong_dan_thong_bao_thue),
        })
    }
}
