//! What the receipt will say (`ThongTinBienLai`), and whether it adds up.

use serde_json::{Value, json};
use truc_sdk::types::Money;
use truc_sdk::{Error, Problem, config};

use crate::bindings::exports::lgsp::payment::payments::{
    Bill, Coded, Fee, FeeKind, Line, Mismatch, NewPayment, PaymentProblem,
};

/// All money is in đồng, and fees and lines each add up to the payment's amount.
pub(crate) fn check_amounts(payment: &NewPayment) -> Result<(), PaymentProblem> {
    let Bill { fees, lines, .. } = &payment.bill;
    check_currency(&payment.amount, "/amount")?;
    check_sum(&payment.amount, "/bill/fees", fees.iter().map(|fee| &fee.amount))?;
    check_sum(&payment.amount, "/bill/lines", lines.iter().map(|line| &line.amount))
}

fn check_currency(money: &Money, pointer: &str) -> Result<(), PaymentProblem> {
    match money.currency.as_str() {
        "VND" => Ok(()),
        _ => {
            Err(Problem::fault(format!("{pointer}/currency"), "must be VND: the platform takes đồng only")
                .into())
        }
    }
}

fn check_sum<'a>(
    stated: &Money,
    pointer: &str,
    parts: impl ExactSizeIterator<Item = &'a Money>,
) -> Result<(), PaymentProblem> {
    if parts.len() == 0 {
        return Ok(());
    }
    let mut sum: u64 = 0;
    for (index, part) in parts.enumerate() {
        check_currency(part, &format!("{pointer}/{index}/amount"))?;
        sum = sum.saturating_add(part.amount);
    }
    if sum == stated.amount {
        return Ok(());
    }
    let found = Money { amount: sum, currency: stated.currency.clone() };
    Err(PaymentProblem::AmountMismatch(Mismatch { pointer: pointer.into(), stated: stated.clone(), found }))
}

/// `ThongTinBienLai`.
pub(crate) fn receipt_details(bill: &Bill) -> Result<Value, Error> {
    let (service, service_name) = code_and_name(bill.service.as_ref());
    let (procedure, procedure_name) = code_and_name(bill.procedure.as_ref());
    Ok(json!({
        "MaDichVu": config::text("service-code")?,
        "MaDVC": service,
        "TenDVC": service_name,
        "MaTTHC": procedure,
        "TenTTHC": procedure_name,
        "MaDonVi": bill.agency,
        "TenDonVi": bill.agency_name,
        "MaHoSo": bill.dossier,
        "TKThuHuong": bill.account.number,
        "MaNHThuHuong": bill.account.bank,
        "TenTKThuHuong": bill.account.holder,
        "PhiLePhi": bill.fees.iter().map(phi_le_phi).collect::<Vec<_>>(),
        "DSKhoanNop": bill.lines.iter().map(khoan_nop).collect::<Vec<_>>(),
        "HoTenNguoiNop": bill.payer.name,
        "SoCMNDNguoiNop": bill.payer.id.as_deref().unwrap_or_default(),
    }))
}

fn code_and_name(coded: Option<&Coded>) -> (&str, &str) {
    coded.map_or(("", ""), |coded| (&coded.code, &coded.name))
}

fn phi_le_phi(fee: &Fee) -> Value {
    // The numbers of the kinds are not in a public document; these are the order of the law's title.
    let kind = match fee.kind {
        FeeKind::Fee => "1",
        FeeKind::Charge => "2",
    };
    json!({
        "LoaiPhiLePhi": kind,
        "MaPhiLePhi": fee.code,
        "TenPhiLePhi": fee.name,
        "SoTien": fee.amount.amount.to_string(),
    })
}

fn khoan_nop(line: &Line) -> Value {
    json!({ "NoiDung": line.contents, "SoTien": line.amount.amount.to_string() })
}
