//! Insurance: numbers, households, and health insurance cards.

use anyhow::Result;
use serde_json::{Value, json};

use crate::demo::samples::Samples;
use crate::demo::session::Session;

/// Calls every operation.
pub(crate) async fn call(session: &mut Session, samples: &Samples) -> Result<()> {
    let citizen = samples.part("/citizens/0")?;
    let (name, sex) = (citizen.text("/name")?, citizen.text("/gender")?);
    let (province, number) = (citizen.text("/province")?, citizen.text("/insuranceNumber")?);
    let born = json!({ "date": citizen.text("/birthDate")?, "precision": "day" });

    let person = |name: &str| -> Value {
        let place = json!({ "kind": "household", "province": province });
        json!({ "name": name, "born": born, "sex": sex, "place": place })
    };
    session.post(200, "/number-searches", &person(&name)).await?;
    session.post(404, "/number-searches", &person("Không Có Ai")).await?;

    session.get(200, &format!("/members/{number}/household")).await?;
    session.get(404, "/members/9999999999/household").await?;

    let household = |name: &str| -> Value {
        json!({ "name": name, "born": born, "sex": sex, "place": "household", "province": province })
    };
    session.post(200, "/household-searches", &household(&name)).await?;
    session.post(404, "/household-searches", &household("Không Có Ai")).await?;

    let card = |name: &str| -> Result<Value> {
        Ok(json!({ "number": citizen.text("/cardNumber")?, "name": name, "born": born }))
    };
    session.post(200, "/card-checks", &card(&name)?).await?;
    session.post(422, "/card-checks", &card("Không Có Ai")?).await?;
    Ok(())
}
