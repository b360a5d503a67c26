//! The public postal service: orders from placing to delivery.

use anyhow::Result;
use serde_json::json;

use crate::demo::samples::Samples;
use crate::demo::session::Session;

const ORDER: &str = "H56.14-250701-9021";

/// Calls every operation.
pub(crate) async fn call(session: &mut Session, samples: &Samples) -> Result<()> {
    let order = json!({
        "number": ORDER,
        "sender": {
            "name": "Trung tâm phục vụ hành chính công", "phone": "02580000000", "province": "56",
            "address": "Số 1, đường Trần Phú, Phường Nha Trang",
        },
        "receiver": {
            "name": "Nguyễn Văn An", "phone": "0900000000", "province": "01", "address": "Số 12, đường Lê Lợi",
        },
        "contents": "Kết quả hồ sơ",
    });
    session.post(200, "/orders", &order).await?;
    session.post(409, "/orders", &order).await?;

    session.get(200, "/quotations?senderProvince=56&receiverProvince=01&weight=700").await?;
    session.get(422, "/quotations?senderProvince=56&receiverProvince=01&weight=0").await?;

    let delivered = samples.text("/postalOrders/delivered")?;
    session.get(200, &format!("/orders/{delivered}/tracking")).await?;
    session.get(404, "/orders/UNKNOWN/tracking").await?;

    let reason = json!({ "reason": "Người dân nhận trực tiếp" });
    session.post(204, &format!("/orders/{ORDER}/cancellation"), &reason).await?;
    session.post(409, &format!("/orders/{delivered}/cancellation"), &reason).await?;
    Ok(())
}
