//! The interface `parcels`: parcels of land and certificates.

use serde::Deserialize;
use truc_sdk::upstream::Request;
use truc_sdk::{Problem, log, send_all};

use crate::Connector;
use crate::bindings::exports::lgsp::land::parcels::{
    Certificate, CertificateState, Guest, Holder, LandUse, Parcel, ParcelReference, ParcelState,
};
use crate::wire::{ask, land, read, read_moment, some, strange, ward, ward_number};

impl Guest for Connector {
    fn get_parcel(ward: String, sheet: String, number: String) -> Result<Parcel, Problem> {
        ask::<ThuaDat>(parcel_request(ward_number(&ward)?, &sheet, &number))?.try_into()
    }

    fn find_parcels(holder: String) -> Result<Vec<Parcel>, Problem> {
        let mut held: Vec<ThuaDatTrenGiay> = Vec::new();
        for certificate in certificates_of(&holder)? {
            let in_force = certificate_state(certificate.trang_thai)? == CertificateState::Valid;
            for parcel in certificate.thua_dat.into_iter().filter(|_| in_force) {
                if !held.iter().any(|known| known.same_parcel(&parcel)) {
                    held.push(parcel);
                }
            }
        }
        let requests = held
            .iter()
            .map(|parcel| parcel_request(parcel.xa_id, &parcel.so_hieu_ban_do, &parcel.so_thu_tu_thua));
        let mut parcels = Vec::with_capacity(held.len());
        for answer in send_all(requests) {
            match read::<ThuaDat>(answer?) {
                Ok(parcel) => parcels.push(parcel.try_into()?),
                Err(Problem::NotFound(_)) => {
                    log::warn("a certificate names a parcel that the land system does not have")
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(parcels)
    }

    fn get_certificate(number: String) -> Result<Certificate, Problem> {
        let request = land().get("/giaychungnhan/{SoPhatHanh}").parameter("SoPhatHanh", number);
        ask::<GiayChungNhan>(request)?.try_into()
    }

    fn find_certificates(holder: String) -> Result<Vec<Certificate>, Problem> {
        certificates_of(&holder)?.into_iter().map(Certificate::try_from).collect()
    }
}

fn parcel_request(ward: u32, sheet: &str, number: &str) -> Request {
    land()
        .get("/thuadat/{XaId}/{SoHieuBanDo}/{SoThuTuThua}")
        .parameter("XaId", ward)
        .parameter("SoHieuBanDo", sheet)
        .parameter("SoThuTuThua", number)
}

fn certificates_of(holder: &str) -> Result<Vec<GiayChungNhan>, Problem> {
    ask(land().get("/giaychungnhan").query("SoDinhDanh", holder))
}

/// A parcel as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ThuaDat {
    xa_id: u32,
    so_hieu_ban_do: String,
    so_thu_tu_thua: String,
    dien_tich: f64,
    loai_dat: Vec<LoaiDat>,
    dia_chi_chi_tiet: String,
    chu_su_dung: Vec<ChuSuDung>,
    #[serde(rename = "SoPhatHanhGCN")]
    so_phat_hanh_gcn: Option<String>,
    tinh_trang: u8,
}

/// A use of land as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoaiDat {
    ma: String,
    ten: String,
    dien_tich: f64,
}

/// A holder as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChuSuDung {
    ho_ten: String,
    so_dinh_danh: Option<String>,
    nam_sinh: Option<u16>,
    dia_chi: Option<String>,
}

/// A certificate as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GiayChungNhan {
    so_phat_hanh: String,
    so_vao_so: String,
    ngay_cap: String,
    co_quan_cap: String,
    trang_thai: u8,
    chu_su_dung: Vec<ChuSuDung>,
    thua_dat: Vec<ThuaDatTrenGiay>,
}

/// A parcel on a certificate as the land system writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ThuaDatTrenGiay {
    xa_id: u32,
    so_hieu_ban_do: String,
    so_thu_tu_thua: String,
    dien_tich: f64,
}

impl ThuaDatTrenGiay {
    fn same_parcel(&self, other: &Self) -> bool {
        let key =
            |parcel: &Self| (parcel.xa_id, parcel.so_hieu_ban_do.clone(), parcel.so_thu_tu_thua.clone());
        key(self) == key(other)
    }
}

impl TryFrom<ThuaDat> for Parcel {
    type Error = Problem;

    fn try_from(parcel: ThuaDat) -> Result<Self, Problem> {
        Ok(Self {
            ward: ward(parcel.xa_id),
            sheet: parcel.so_hieu_ban_do,
            number: parcel.so_thu_tu_thua,
            area: parcel.dien_tich,
            uses: parcel.loai_dat.into_iter().map(LandUse::from).collect(),
            address: parcel.dia_chi_chi_tiet,
            holders: parcel.chu_su_dung.into_iter().map(Holder::from).collect(),
            certificate: some(parcel.so_phat_hanh_gcn),
            state: match parcel.tinh_trang {
                1 => ParcelState::Normal,
                2 => ParcelState::Mortgaged,
                3 => ParcelState::Disputed,
                other => return Err(strange(format!("a parcel's `TinhTrang` is {other}"))),
            },
        })
    }
}

impl From<LoaiDat> for LandUse {
    fn from(land_use: LoaiDat) -> Self {
        Self { code: land_use.ma, name: land_use.ten, area: land_use.dien_tich }
    }
}

impl From<ChuSuDung> for Holder {
    fn from(holder: ChuSuDung) -> Self {
        Self {
            name: holder.ho_ten,
            id: some(holder.so_dinh_danh),
            born: holder.nam_sinh,
            address: some(holder.dia_chi),
        }
    }
}

impl TryFrom<GiayChungNhan> for Certificate {
    type Error = Problem;

    fn try_from(certificate: GiayChungNhan) -> Result<Self, Problem> {
        Ok(Self {
            number: certificate.so_phat_hanh,
            register_number: certificate.so_vao_so,
            issued_on: read_moment(&certificate.ngay_cap)?.date().iso(),
            issued_by: certificate.co_quan_cap,
            state: certificate_state(certificate.trang_thai)?,
            holders: certificate.chu_su_dung.into_iter().map(Holder::from).collect(),
            parcels: certificate.thua_dat.into_iter().map(ParcelReference::from).collect(),
        })
    }
}

impl From<ThuaDatTrenGiay> for ParcelReference {
    fn from(parcel: ThuaDatTrenGiay) -> Self {
        Self {
            ward: ward(parcel.xa_id),
            sheet: parcel.so_hieu_ban_do,
            number: parcel.so_thu_tu_thua,
            area: parcel.dien_tich,
        }
    }
}

fn certificate_state(number: u8) -> Result<CertificateState, Problem> {
    match number {
        1 => Ok(CertificateState::Valid),
        2 => Ok(CertificateState::Withdrawn),
        other => Err(strange(format!("a certificate's `TrangThai` is {other}"))),
    }
}
