//! Calls every one of the five services through clients generated from their documents.

use std::error::Error;
use std::fmt::Debug;

use civil_status::{apis::registry_api as registry, models as civil};
use insurance::{apis::members_api as members, models as insured};
use land::{apis::dossiers_api as dossiers, apis::parcels_api as parcels, models as lands};
use payment::{apis::payments_api as payments, models as paid};
use postal::{apis::orders_api as orders, models as post};
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

const PURPOSE: &str = "Interoperability test";

/// What a generated client needs to know, made for the package of that client.
macro_rules! configuration {
    ($package:ident, $service:literal) => {{
        let mut configuration = $package::apis::configuration::Configuration::new();
        configuration.base_path = format!("{}/api/{}/v1", std::env::var("TRUC")?, $service);
        configuration.bearer_access_token = Some(std::env::var("TRUC_KEY")?);
        configuration
    }};
}

/// The problem of a call that must be refused with a status and a code.
macro_rules! refused {
    ($package:ident, $answer:expr, $status:literal, $code:literal) => {{
        let Err($package::apis::Error::ResponseError(answer)) = $answer else {
            panic!("the call was not refused");
        };
        assert_eq!(answer.status.as_u16(), $status, "{}", answer.content);
        assert!(answer.entity.is_some(), "{} is of no type", answer.content);
        let problem: $package::models::ProblemDetails = serde_json::from_str(&answer.content)?;
        assert_eq!(problem.code, $code);
    }};
}

fn main() -> Outcome {
    let samples: Value = serde_json::from_str(&std::fs::read_to_string(std::env::var("TRUC_SAMPLES")?)?)?;
    civil_status(&samples)?;
    land(&samples)?;
    insurance(&samples)?;
    postal()?;
    payment(&samples)
}

fn text(samples: &Value, pointer: &str) -> String {
    match samples.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => panic!("there is no sample {pointer}"),
    }
}

fn dossier(number: u32) -> String {
    format!("H56.14-250701-{number}")
}

/// A number of 64 bits, which is a text in JSON.
fn number<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn civil_status(samples: &Value) -> Outcome {
    let api = configuration!(civil_status, "civil-status");
    let unit = format!("{:0>5}", text(samples, "/civilStatusDossiers/agencyUnit"));
    let intake = |number| civil::Intake {
        copies: Some(Some(2)),
        ..civil::Intake::new(dossier(number), unit.clone(), "2025-07-01".into(), civil::Registration::InTime)
    };
    let requester = civil::Requester {
        paper: Some(Some(civil::Paper::new(civil::PaperKind::CitizenCard, "056195999999".into()))),
        ..civil::Requester::new("Trần Thị Hoa".into(), "Mẹ".into())
    };

    let child = civil::Child::new(
        "Nguyễn Minh An".into(),
        civil::Sex::Female,
        "2025-06-20".into(),
        "Bệnh viện đa khoa tỉnh Khánh Hòa".into(),
        "Phường Nha Trang, Tỉnh Khánh Hòa".into(),
        "Kinh".into(),
        "Việt Nam".into(),
    );
    let mother = civil::Parent::new("Trần Thị Hoa".into(), "1995".into());
    let birth = civil::BirthDossier::new(intake(9301), child, mother, requester.clone());
    let receipt = registry::registry_register_birth(&api, PURPOSE, birth.clone(), None, None)?;
    assert_eq!(receipt.event, civil::Event::Birth);
    refused!(
        civil_status,
        registry::registry_register_birth(&api, PURPOSE, birth, None, None),
        409,
        "conflict"
    );

    let deceased = civil::Deceased::new(
        "Phạm Văn Cường".into(),
        civil::Sex::Male,
        "1940".into(),
        "Kinh".into(),
        "Việt Nam".into(),
    );
    let death = civil::Death::new("2025-06-28".into(), "Bệnh viện đa khoa tỉnh Khánh Hòa".into());
    let death = civil::DeathDossier::new(intake(9303), deceased, death, requester);
    registry::registry_register_death(&api, PURPOSE, death, None, None)?;

    let received = text(samples, "/civilStatusDossiers/received");
    let status = registry::registry_check_dossier(&api, &received, &unit, None, None)?;
    assert_eq!(status.state, civil::DossierState::Received);
    let registered = text(samples, "/civilStatusDossiers/registered");
    let result = registry::registry_get_result(&api, &registered, &unit, PURPOSE, None)?;

    let (id, province) = (text(samples, "/births/0/id"), text(samples, "/births/0/province"));
    let birth = civil::Event::Birth;
    let entry = registry::registry_get_entry(&api, birth, &id, PURPOSE, None)?;
    let found = registry::registry_find_entries(&api, birth, &entry.changed_on, Some(&province), None, None)?;
    assert!(found.iter().any(|reference| reference.id == id));
    // The cases of a variant are the cases of an enumeration.
    let civil::Details::Birth(details) = entry.details else { panic!("{id} is no birth") };
    assert!(!details.value.child.name.is_empty());
    let entries =
        registry::registry_get_entries(&api, birth, vec![result.id, "999999999".into()], PURPOSE, None)?;
    assert_eq!(entries.len(), 1);
    let groups = registry::registry_list_codes(&api, civil::CodeList::EthnicGroups, None, None, None)?;
    assert!(groups.iter().any(|code| code.name == "Kinh"));
    Ok(())
}

fn land(samples: &Value) -> Outcome {
    let api = configuration!(land, "land");
    let [ward, sheet, plot, owner, certificate] = ["ward", "sheet", "number", "owner", "certificate"]
        .map(|member| text(samples, &format!("/parcels/0/{member}")));

    let parcel = parcels::parcels_get_parcel(&api, &ward, &sheet, &plot, PURPOSE, None)?;
    assert_eq!(parcel.certificate.flatten().as_ref(), Some(&certificate));
    assert!(parcel.area > 0.0);
    refused!(
        land,
        parcels::parcels_get_parcel(&api, &ward, &sheet, "99999", PURPOSE, None),
        404,
        "not-found"
    );
    assert!(!parcels::parcels_find_parcels(&api, &owner, PURPOSE, None)?.is_empty());
    parcels::parcels_get_certificate(&api, &certificate, PURPOSE, None)?;
    assert!(!parcels::parcels_find_certificates(&api, &owner, PURPOSE, None)?.is_empty());

    // The content of a file travels as base64: `%PDF-1.4` and a line feed.
    let file = lands::Attachment::new("don.pdf".into(), "application/pdf".into(), "JVBERi0xLjQK".into());
    let claimed = lands::ClaimedParcel { area: Some(Some(102.5)), ..lands::ClaimedParcel::new(sheet, plot) };
    let sent = lands::Dossier::new(
        dossier(9311),
        lands::Level::Commune,
        "22366".into(),
        "2025-07-01T08:30:00+07:00".into(),
        "2025-07-15T17:00:00+07:00".into(),
        lands::Applicant::new("Nguyễn Văn An".into(), "056080999999".into()),
        lands::Procedure::new("1.004227".into()),
        vec![claimed],
        vec![lands::Paper::new("Đơn đăng ký".into(), 1, 0, file)],
    );
    let receipt = dossiers::dossiers_send_dossier(&api, PURPOSE, sent, None, None)?;
    assert!(number::<i64>(&receipt.number) > 0);
    dossiers::dossiers_check_dossier(&api, &receipt.code, None, None)?;

    let ready = text(samples, "/landDossiers/resultReady");
    let handed_over = lands::DossiersReportHandOverRequest::new("2025-07-15T09:00:00+07:00".into());
    dossiers::dossiers_report_hand_over(&api, &ready, handed_over, None, None, None)?;
    let assessed = text(samples, "/landDossiers/taxKnown");
    let tax = dossiers::dossiers_get_tax_result(&api, &assessed, PURPOSE, None)?;
    assert!(tax.notices.iter().all(|notice| number::<u64>(&notice.amount.amount) > 0));
    Ok(())
}

fn insurance(samples: &Value) -> Outcome {
    let api = configuration!(insurance, "insurance");
    let [name, gender, born, province, insured_as, card] =
        ["name", "gender", "birthDate", "province", "insuranceNumber", "cardNumber"]
            .map(|member| text(samples, &format!("/citizens/0/{member}")));
    let sex: insured::Sex = serde_json::from_value(gender.into())?;
    let born = insured::BirthDate::new(born, insured::DatePrecision::Day);

    let place = insured::Place::new(insured::PlaceKind::Household, province.clone());
    let person = insured::PersonCriteria::new(name.clone(), born.clone(), sex, place);
    let found = members::members_find_number(&api, PURPOSE, person, None, None)?;
    assert_eq!(found.insurance_number, insured_as);
    let household = members::members_get_household(&api, &insured_as, PURPOSE, None)?;
    assert!(!household.members.is_empty());
    let place = insured::PlaceKind::Household;
    let criteria = insured::HouseholdCriteria::new(name.clone(), born.clone(), sex, place, province);
    members::members_find_household(&api, PURPOSE, criteria, None, None)?;
    members::members_check_card(&api, PURPOSE, insured::CardQuery::new(card, name, born), None, None)?;
    Ok(())
}

fn postal() -> Outcome {
    let api = configuration!(postal, "postal");
    let party = |name: &str, phone: &str, province: &str, address: &str| {
        post::Party::new(name.into(), phone.into(), province.into(), address.into())
    };
    let sender = party("Trung tâm phục vụ hành chính công", "02580000000", "56", "Số 1, đường Trần Phú");
    let receiver = party("Nguyễn Văn An", "0900000000", "01", "Số 12, đường Lê Lợi");
    let order = post::NewOrder {
        cash_on_delivery: Some(Some(post::Money::new("150000".into(), "VND".into()))),
        ..post::NewOrder::new(dossier(9321), sender, receiver)
    };
    let placed = orders::orders_create(&api, PURPOSE, order, None, None)?;

    let quote = |cash| orders::orders_quote(&api, "56", "01", 700, cash, None, None, None);
    let (plain, with_cash) = (quote(None)?, quote(Some("9000000"))?);
    assert!(number::<u64>(&with_cash.total.amount) > number(&plain.total.amount));

    let tracked = orders::orders_track(&api, &placed.number, None, None)?;
    assert_eq!(tracked.status, post::Status::Ordered);
    let reason =
        post::OrdersCancelRequest { reason: Some(Some("Người dân nhận trực tiếp".into())) };
    orders::orders_cancel(&api, &placed.number, reason, None, None, None)?;
    Ok(())
}

fn payment(samples: &Value) -> Outcome {
    let api = configuration!(payment, "payment");
    let amount = paid::Money::new("150000".into(), "VND".into());
    let (agency, what) = ("Ủy ban nhân dân Phường Nha Trang", "Lệ phí đăng ký kết hôn");
    let bill = paid::Bill::new(
        "H56.14".into(),
        agency.into(),
        dossier(9331),
        paid::Account::new("0000000001".into(), "SIMBANK".into(), agency.into()),
        paid::Payer::new("Nguyễn Văn An".into()),
        vec![paid::Fee::new(paid::FeeKind::Charge, "LP01".into(), what.into(), amount.clone())],
        vec![],
    );
    let new = paid::NewPayment::new(
        "REF-9331".into(),
        amount,
        what.into(),
        paid::Destination::Agency,
        paid::Channel::Web,
        bill,
    );
    // Sent twice with one idempotency key, it is carried out once.
    let initiate = || payments::payments_initiate(&api, PURPOSE, new.clone(), None, Some("interop-rust-1"));
    assert_eq!(initiate()?, initiate()?);
    refused!(payment, payments::payments_initiate(&api, PURPOSE, new, None, None), 409, "already-exists");

    let reference = text(samples, "/payments/paid");
    let queried = payments::payments_query(&api, &reference, None, None)?;
    assert_eq!(queried.state, paid::State::Paid);
    payments::payments_get_receipt(&api, &reference, None, None)?;
    let day = text(samples, "/payments/paidOn");
    let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    let listed = payments::payments_reconcile(&api, &day, None, None)?;
    assert_eq!(listed.payments.len(), usize::try_from(listed.count)?);
    Ok(())
}
