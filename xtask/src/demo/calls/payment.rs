//! The national payment platform: payments, receipts, and the list of a day.

use anyhow::Result;
use serde_json::json;

use crate::demo::samples::Samples;
use crate::demo::session::Session;

/// Calls every operation.
pub(crate) async fn call(session: &mut Session, samples: &Samples) -> Result<()> {
    let amount = json!({ "amount": "150000", "currency": "VND" });
    let payment = json!({
        "reference": "REF-9031", "amount": amount, "description": "Lệ phí đăng ký kết hôn",
        "destination": "agency", "channel": "web",
        "bill": {
            "agency": "H56.14", "agencyName": "Ủy ban nhân dân Phường Nha Trang", "dossier": "H56.14-250701-9031",
            "account": {
                "number": "0000000001", "bank": "SIMBANK", "holder": "Ủy ban nhân dân Phường Nha Trang",
            },
            "payer": { "name": "Nguyễn Văn An" },
            "fees": [{ "kind": "charge", "code": "LP01", "name": "Lệ phí đăng ký kết hôn", "amount": amount }],
            "lines": [],
        },
    });
    session.post(200, "/payments", &payment).await?;
    session.post(409, "/payments", &payment).await?;

    let (waiting, paid) = (samples.text("/payments/waiting")?, samples.text("/payments/paid")?);
    session.get(200, &format!("/payments/{waiting}")).await?;
    session.get(404, "/payments/UNKNOWN").await?;
    session.get(200, &format!("/payments/{paid}/receipt")).await?;
    session.get(409, &format!("/payments/{waiting}/receipt")).await?;

    session.get(200, &format!("/reconciliations/{}", samples.day("/payments/paidOn")?)).await?;
    session.get(422, "/reconciliations/2025-02-30").await?;
    Ok(())
}
