//! Land: parcels, certificates, and dossiers about them.

use anyhow::Result;
use serde_json::json;

use crate::demo::samples::Samples;
use crate::demo::session::Session;
use crate::http::Client;

/// Nha Trang, a ward of the province that the demonstrated platform serves.
const OWN_WARD: &str = "22366";
const DOSSIER: &str = "H56.14-250701-9011";
const UNKNOWN: &str = "H56.14-250701-9999";

/// Calls every operation. `other` is an agency that may look up parcels and nothing else.
pub(crate) async fn call(session: &mut Session, samples: &Samples, other: &Client) -> Result<()> {
    let ward = samples.text("/parcels/0/ward")?;
    let (sheet, number) = (samples.text("/parcels/0/sheet")?, samples.text("/parcels/0/number")?);
    let owner = samples.text("/parcels/0/owner")?;

    session.get(200, &format!("/parcels/{ward}/{sheet}/{number}")).await?;
    session.get(404, &format!("/parcels/{ward}/{sheet}/99999")).await?;
    session.get_by(other, 200, &format!("/parcels/{ward}/{sheet}/{number}")).await?;
    session.get(200, &format!("/parcels?holder={owner}")).await?;
    session.get(422, "/parcels?holder=nobody").await?;
    session.get_by(other, 403, &format!("/parcels?holder={owner}")).await?;
    session.get_without_key(401, &format!("/parcels?holder={owner}")).await?;

    let certificate = samples.text("/parcels/0/certificate")?;
    session.get(200, &format!("/certificates/{certificate}")).await?;
    session.get(404, "/certificates/ZZ99999999").await?;
    session.get(200, &format!("/certificates?holder={owner}")).await?;
    session.get(422, "/certificates").await?;

    let paper = json!({
        "name": "Đơn đăng ký", "originals": 1, "copies": 0,
        "file": { "name": "don.pdf", "mediaType": "application/pdf", "content": "JVBERi0xLjQK" },
    });
    let dossier = json!({
        "code": DOSSIER, "level": "commune", "ward": OWN_WARD,
        "receivedAt": "2025-07-01T08:30:00+07:00", "dueAt": "2025-07-15T17:00:00+07:00",
        "applicant": { "name": "Nguyễn Văn An", "identityNumber": "056080999999" },
        "procedure": { "code": "1.004227", "name": "Đăng ký biến động" },
        "parcels": [{ "sheet": sheet, "number": number, "area": 102.5 }],
        "papers": [paper],
    });
    session.post(200, "/dossiers", &dossier).await?;
    session.post(409, "/dossiers", &dossier).await?;
    session.get(200, &format!("/dossiers/{DOSSIER}")).await?;
    session.get(404, &format!("/dossiers/{UNKNOWN}")).await?;

    let incomplete = samples.text("/landDossiers/needsSupplement")?;
    let supplement = json!({ "dueAt": "2099-07-20T17:00:00+07:00", "papers": [paper] });
    session.post(200, &format!("/dossiers/{incomplete}/supplements"), &supplement).await?;
    session.post(409, &format!("/dossiers/{incomplete}/supplements"), &supplement).await?;

    let ready = samples.text("/landDossiers/resultReady")?;
    let handed_over = json!({ "handedOverAt": "2025-07-15T09:00:00+07:00" });
    session.post(204, &format!("/dossiers/{ready}/hand-over"), &handed_over).await?;
    session.post(409, &format!("/dossiers/{ready}/hand-over"), &handed_over).await?;

    let assessed = samples.text("/landDossiers/taxKnown")?;
    session.get(200, &format!("/dossiers/{assessed}/tax-result")).await?;
    session.get(404, &format!("/dossiers/{UNKNOWN}/tax-result")).await?;
    Ok(())
}
