//! The contract `lgsp:payment` on the national payment platform.
//!
//! Each operation is here, from the contract's words to the platform's and back. [`platform`] sends messages and
//! proves that answers are authentic; [`bill`] writes what the receipt will say and checks that it adds up;
//! [`pointers`] and [`problem`] join the platform's refusals to the contract's error type.

mod bill;
mod platform;
mod pointers;
mod problem;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use truc_sdk::Problem;
use truc_sdk::calendar::{Date, DateTime};
use truc_sdk::types::Money;

use bindings::exports::lgsp::payment::payments::{
    Channel, Destination, Guest, Language, NewPayment, Payment, PaymentProblem, Receipt, Reconciliation,
    Settled, Started, State,
};
use platform::understood;

truc_sdk::connector!(Connector {
    world: "lgsp:payment/connector",
    wit: ["../../wit/truc", "../../wit/payment"],
});

struct Connector;

impl Guest for Connector {
    fn initiate(payment: NewPayment) -> Result<Started, PaymentProblem> {
        bill::check_amounts(&payment)?;
        let started: KhoiTao = platform::INIT.call(
            &[
                ("MaThamChieu", &payment.reference),
                ("SoTien", &payment.amount.amount.to_string()),
                ("LoaiHinhThanhToan", destination(payment.destination)),
                ("MaKenhThanhToan", channel(payment.channel)),
                ("MaThietBi", ""),
                ("NgonNgu", language(payment.language)),
                ("MaTienTe", &payment.amount.currency),
                ("MaNganHang", payment.bank.as_deref().unwrap_or_default()),
                ("ThongTinGiaoDich", &payment.description),
                ("ThoiGianGD", &DateTime::now().compact()),
                ("Ip", ""),
            ],
            Some(bill::receipt_details(&payment.bill)?),
        )?;
        Ok(Started {
            reference: started.ma_tham_chieu,
            transaction: started.ma_giao_dich,
            pay_at: started.url_thanh_toan,
            at: instant(&started.thoi_gian_gd)?,
        })
    }

    fn query(reference: String) -> Result<Payment, PaymentProblem> {
        let found: GiaoDich = platform::QUERY
            .call(&[("MaThamChieu", &reference), ("ThoiGianGD", &DateTime::now().compact())], None)?;
        Ok(Payment {
            reference: found.ma_tham_chieu,
            transaction: found.ma_giao_dich,
            amount: money(&found.so_tien, found.ma_tien_te)?,
            state: state(&found.trang_thai_gd)?,
            bank: Some(found.ma_ngan_hang).filter(|code| !code.is_empty()),
            at: instant(&found.thoi_gian_gd)?,
            description: found.thong_tin_giao_dich,
        })
    }

    fn get_receipt(reference: String) -> Result<Receipt, PaymentProblem> {
        let found: BienLai = platform::GET_BILL
            .call(&[("MaThamChieu", &reference), ("ThoiGianGD", &DateTime::now().compact())], None)?;
        Ok(Receipt {
            reference: found.ma_tham_chieu,
            transaction: found.ma_giao_dich,
            number: found.so_bien_lai,
            url: found.url_bien_lai,
        })
    }

    fn reconcile(day: String) -> Result<Reconciliation, PaymentProblem> {
        let date = Date::from_iso(&day).ok_or_else(|| Problem::fault("/day", "is no date that exists"))?;
        let found: DoiSoat = platform::RECONCILE
            .call(&[("NgayDoiSoat", &date.compact()), ("ThoiGianGD", &DateTime::now().compact())], None)?;
        Ok(Reconciliation {
            day,
            count: understood("TongSoGiaoDich", found.tong_so_giao_dich.parse().ok())?,
            total: money(&found.tong_so_tien, "VND".into())?,
            payments: found
                .danh_sach_giao_dich
                .into_iter()
                .map(Settled::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The answer to `INIT`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KhoiTao {
    ma_tham_chieu: String,
    ma_giao_dich: String,
    url_thanh_toan: String,
    #[serde(rename = "ThoiGianGD")]
    thoi_gian_gd: String,
}

/// The answer to `QUERY`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GiaoDich {
    ma_tham_chieu: String,
    so_tien: String,
    ma_tien_te: String,
    ma_giao_dich: String,
    ma_ngan_hang: String,
    #[serde(rename = "TrangThaiGD")]
    trang_thai_gd: String,
    #[serde(rename = "ThoiGianGD")]
    thoi_gian_gd: String,
    thong_tin_giao_dich: String,
}

/// The answer to `GET_BILL`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BienLai {
    ma_tham_chieu: String,
    ma_giao_dich: String,
    so_bien_lai: String,
    url_bien_lai: String,
}

/// The answer to `RECONCILE`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DoiSoat {
    tong_so_giao_dich: String,
    tong_so_tien: String,
    danh_sach_giao_dich: Vec<MotGiaoDich>,
}

/// One payment in the answer to `RECONCILE`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MotGiaoDich {
    ma_tham_chieu: String,
    ma_giao_dich: String,
    so_tien: String,
    ma_tien_te: String,
    ma_ngan_hang: String,
    #[serde(rename = "ThoiGianGD")]
    thoi_gian_gd: String,
    ma_ho_so: String,
}

impl TryFrom<MotGiaoDich> for Settled {
    type Error = PaymentProblem;

    fn try_from(found: MotGiaoDich) -> Result<Self, PaymentProblem> {
        Ok(Self {
            reference: found.ma_tham_chieu,
            transaction: found.ma_giao_dich,
            dossier: found.ma_ho_so,
            amount: money(&found.so_tien, found.ma_tien_te)?,
            bank: found.ma_ngan_hang,
            at: instant(&found.thoi_gian_gd)?,
        })
    }
}

fn destination(destination: Destination) -> &'static str {
    match destination {
        Destination::Agency => "1",
        Destination::Treasury => "2",
    }
}

fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Web => "WEB",
        Channel::Mobile => "MOBILE",
    }
}

fn language(language: Option<Language>) -> &'static str {
    match language {
        None | Some(Language::Vi) => "vi",
        Some(Language::En) => "en",
    }
}

fn state(code: &str) -> Result<State, PaymentProblem> {
    let state = match code {
        "0" => Some(State::Waiting),
        "1" => Some(State::Paid),
        "2" => Some(State::Failed),
        _ => None,
    };
    understood("TrangThaiGD", state)
}

fn money(digits: &str, currency: String) -> Result<Money, PaymentProblem> {
    Ok(Money { amount: understood("SoTien", digits.parse().ok())?, currency })
}

fn instant(compact: &str) -> Result<String, PaymentProblem> {
    Ok(understood("ThoiGianGD", DateTime::from_compact(compact))?.rfc3339())
}
