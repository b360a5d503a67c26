//! Civil status: births, marriages and deaths.

use anyhow::Result;
use serde_json::{Value, json};

use crate::demo::samples::Samples;
use crate::demo::session::Session;

const BIRTH: &str = "H56.14-250701-9001";
const MARRIAGE: &str = "H56.14-250701-9002";
const DEATH: &str = "H56.14-250701-9003";
const UNKNOWN: &str = "H56.14-250701-9999";

/// Calls every operation.
pub(crate) async fn call(session: &mut Session, samples: &Samples) -> Result<()> {
    let unit = samples.ward("/civilStatusDossiers/agencyUnit")?;
    let intake = |dossier: &str| json!({ "dossier": dossier, "receivingUnit": unit, "receivedOn": "2025-07-01", "registration": "in-time" });

    let birth = birth(intake(BIRTH));
    session.post(200, "/births", &birth).await?;
    session.post(409, "/births", &birth).await?;

    let (man, woman) = (samples.part("/singles/man")?, samples.part("/singles/woman")?);
    session.post(200, "/marriages", &marriage(intake(MARRIAGE), &man, &woman)?).await?;
    let husband = samples.part("/couple/husband")?;
    session.post(422, "/marriages", &marriage(intake(UNKNOWN), &husband, &woman)?).await?;

    session.post(200, "/deaths", &death(intake(DEATH), "2025-06-28")).await?;
    session.post(422, "/deaths", &death(intake(UNKNOWN), "2999-06-28")).await?;

    let received = samples.text("/civilStatusDossiers/received")?;
    session.get(200, &format!("/dossiers/{received}?receivingUnit={unit}")).await?;
    session.get(404, &format!("/dossiers/{UNKNOWN}?receivingUnit={unit}")).await?;

    let registered = samples.text("/civilStatusDossiers/registered")?;
    session.get(200, &format!("/dossiers/{registered}/result?receivingUnit={unit}")).await?;
    session.get(409, &format!("/dossiers/{received}/result?receivingUnit={unit}")).await?;

    let (id, day) = (samples.text("/births/0/id")?, samples.text("/births/0/registeredOn")?);
    session.get(200, &format!("/entries?event=birth&changedOn={day}")).await?;
    session.get(422, "/entries?event=adoption&changedOn=2025-02-30").await?;

    session.get(200, &format!("/entries/birth/{id}")).await?;
    session.get(404, "/entries/birth/999999999").await?;

    session.get(200, &format!("/entries/birth?id={id}")).await?;
    session.get(422, &format!("/entries/birth?id={id}&id=seventeen")).await?;

    session.get(200, "/code-lists/ethnic-groups").await?;
    session.get(422, "/code-lists/horoscopes").await?;
    Ok(())
}

fn birth(intake: Value) -> Value {
    json!({
        "intake": intake,
        "child": {
            "name": "Nguyễn Minh An", "sex": "female", "born": "2025-06-20",
            "placeOfBirth": "Bệnh viện đa khoa tỉnh Khánh Hòa", "nativePlace": "Phường Nha Trang, Tỉnh Khánh Hòa",
            "ethnicGroup": "Kinh", "nationality": "Việt Nam",
        },
        "mother": { "name": "Trần Thị Hoa", "born": "1995" },
        "requester": {
            "name": "Trần Thị Hoa", "relationship": "Mẹ",
            "paper": { "kind": "citizen-card", "number": "056195999999" },
        },
    })
}

fn marriage(intake: Value, husband: &Samples, wife: &Samples) -> Result<Value> {
    let spouse = |person: &Samples| -> Result<Value> {
        Ok(json!({
            "name": person.text("/name")?, "born": person.text("/birthDate")?,
            "ethnicGroup": person.text("/ethnicGroup")?, "nationality": "Việt Nam",
            "residence": { "kind": "permanent", "address": person.text("/address")? },
            "paper": { "kind": "citizen-card", "number": person.text("/id")? },
        }))
    };
    Ok(json!({ "intake": intake, "husband": spouse(husband)?, "wife": spouse(wife)? }))
}

fn death(intake: Value, died_on: &str) -> Value {
    json!({
        "intake": intake,
        "deceased": {
            "name": "Phạm Văn Cường", "sex": "male", "born": "1940", "ethnicGroup": "Kinh", "nationality": "Việt Nam",
        },
        "death": { "diedOn": died_on, "place": "Bệnh viện đa khoa tỉnh Khánh Hòa" },
        "requester": { "name": "Phạm Thị Dung", "relationship": "Con" },
    })
}
