//! A choice of what the simulators know, for demonstrations and tests: what `GET /samples` on the admin address shows.

use serde_json::{Value, json};

use crate::citizens::{CITIZENS, Citizen, DRAWN_UP, Gender};
use crate::civil_status::records::{self, Record};
use crate::civil_status::{self, Module};
use crate::credentials::{PAYMENT_PARTNER, POSTAL_CUSTOMER};
use crate::world::World;
use crate::{insurance, land, payment, postal};

/// How many citizens and parcels are shown.
const MANY: usize = 20;
/// How many records of each kind.
const SOME: usize = 5;

pub(crate) fn samples(world: &World) -> Value {
    let all = || world.population.citizens.iter();
    let living = || all().filter(|citizen| citizen.alive() && unmistakable(world, citizen));
    let adult = |citizen: &&Citizen| (25..60).contains(&citizen.age(DRAWN_UP));
    let show = |citizen: Option<&Citizen>| citizen.map(|citizen| citizen_shown(world, citizen));
    let insured = |citizen: &&Citizen| !insurance::paused(citizen);
    let single = |gender| {
        let free = |citizen: &&Citizen| citizen.married.is_none() && citizen.gender == gender;
        show(living().filter(adult).filter(insured).find(free))
    };
    let couple = living().filter(adult).find_map(|husband| {
        let wife = world.population.get(husband.spouse?)?;
        (husband.gender == Gender::Male && wife.alive()).then_some((husband, wife))
    });
    json!({
        "citizens": living()
            .filter(adult)
            .filter(insured)
            .take(MANY)
            .map(|citizen| citizen_shown(world, citizen))
            .collect::<Vec<_>>(),
        "singles": {"man": single(Gender::Male), "woman": single(Gender::Female)},
        "couple": {"husband": show(couple.map(|couple| couple.0)), "wife": show(couple.map(|couple| couple.1))},
        "deceased": show(all().find(|citizen| !citizen.alive() && unmistakable(world, citizen))),
        "expiredCard": show(living().find(|citizen| insurance::paused(citizen))),
        "namesakes": namesakes(world).map(|citizen| citizen_shown(world, citizen)).collect::<Vec<_>>(),
        "parcels": parcels(world),
        "births": records(world, Module::Birth, |record| {
            record.fields.contains_key("meHoTen") && record.fields.contains_key("chaHoTen")
        }),
        "marriages": records(world, Module::Marriage, |_| true),
        "deaths": records(world, Module::Death, |_| true),
        "civilStatusDossiers": {
            "agencyUnit": world.home().number(),
            "received": civil_status::RECEIVED,
            "needsSupplement": civil_status::NEEDS_SUPPLEMENT,
            "registered": civil_status::REGISTERED,
        },
        "landDossiers": {
            "needsSupplement": land::NEEDS_SUPPLEMENT,
            "taxKnown": land::TAX_KNOWN,
            "resultReady": land::RESULT_READY,
        },
        "postalOrders": {
            "customer": POSTAL_CUSTOMER,
            "ordered": postal::ORDERED,
            "delivered": postal::DELIVERED,
        },
        "payments": {
            "partner": PAYMENT_PARTNER,
            "waiting": payment::WAITING,
            "paid": payment::PAID,
            "paidOn": payment::PAID_ON.strftime("%Y%m%d").to_string(),
        },
    })
}

/// Nobody else has the name and the date of birth.
fn unmistakable(world: &World, citizen: &Citizen) -> bool {
    world.population.named(&citizen.name).filter(|other| other.born == citizen.born).count() == 1
}

/// People who cannot be told apart by name, sex, year of birth and province.
fn namesakes(world: &World) -> impl Iterator<Item = &Citizen> {
    let alike = move |one: &Citizen, other: &Citizen| {
        one.born.year() == other.born.year()
            && one.gender == other.gender
            && world.population.ward(one).province == world.population.ward(other).province
    };
    let of = move |citizen: &Citizen| {
        let citizen = citizen.clone();
        world
            .population
            .named(&citizen.name.clone())
            .filter(move |other| alike(&citizen, other))
            .collect::<Vec<_>>()
    };
    world.population.citizens.iter().map(of).find(|alike| alike.len() > 1).into_iter().flatten()
}

fn citizen_shown(world: &World, citizen: &Citizen) -> Value {
    let home = world.population.ward(citizen);
    json!({
        "id": citizen.id,
        "name": citizen.name,
        "gender": match citizen.gender {
            Gender::Male => "male",
            Gender::Female => "female",
        },
        "genderCode": citizen.gender.code(),
        "birthDate": citizen.born.to_string(),
        "compactBirthDate": citizen.born.strftime("%Y%m%d").to_string(),
        "ethnicGroup": citizen.ethnic_group,
        "province": home.province.code,
        "provinceName": home.province.name,
        "ward": home.code,
        "wardName": home.name,
        "address": world.population.address(citizen),
        "birthProvince": citizen.birth_ward.province.code,
        "insuranceNumber": citizen.insurance,
        "cardNumber": insurance::card_number(citizen, home, world.today()),
        "household": world.population.household(citizen).map(|household| &household.number),
    })
}

fn parcels(world: &World) -> Vec<Value> {
    let settled = world.land.parcels.iter().filter(|parcel| parcel.state == 1);
    let shown = settled.filter_map(|parcel| {
        Some(json!({
            "ward": parcel.ward.code,
            "sheet": parcel.sheet.to_string(),
            "number": parcel.number.to_string(),
            "certificate": parcel.certificate.as_ref()?.number,
            "owner": parcel.owners.first().and_then(|&owner| world.population.get(owner))?.id,
        }))
    });
    shown.take(MANY).collect()
}

fn records(world: &World, module: Module, fits: impl Fn(&Record) -> bool) -> Vec<Value> {
    (0..CITIZENS)
        .filter_map(|citizen| records::find(world, module, records::id(module, citizen)))
        .filter(|record| fits(record))
        .take(SOME)
        .map(|record| {
            let own = match module {
                Module::Birth => record.person.as_deref(),
                Module::Marriage => civil_status::person(&record.fields, "chong"),
                Module::Death => civil_status::person(&record.fields, "nkt"),
            };
            json!({
                "id": record.id.to_string(),
                "dossier": record.dossier,
                "agencyUnit": record.unit.number(),
                "province": record.unit.province.code,
                "registeredOn": record.registered.to_string(),
                "person": own,
            })
        })
        .collect()
}
