//! From the control plane's hand to the data plane's eye, on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use truc_identity::{AuthError, Identity, IdentityError, NewGrant, Operations, Refusal, State};
use truc_model::{AccountName, AgencyCode, ManualClock, Secret, ServiceName, Timestamp};
use truc_store::testing::{Kind, TestDatabase};

const NOW: i64 = 1_751_333_400_000_000;
const OPERATION: &str = "parcels/get-parcel";

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW + micros)
}

fn agency() -> AgencyCode {
    "H56.14".parse().unwrap()
}

fn account() -> AccountName {
    "one-stop".parse().unwrap()
}

fn land() -> ServiceName {
    "land".parse().unwrap()
}

fn grant(operations: &str, expires_at: Option<Timestamp>) -> NewGrant {
    NewGrant {
        service: land(),
        operations: operations.parse().unwrap(),
        purpose: Some("  cấp giấy phép xây dựng ".to_owned()),
        legal_basis: None,
        expires_at,
    }
}

/// Runs a test on both databases, with agency `H56.14` and its account `one-stop` there already.
async fn both(test: impl AsyncFn(Identity, Secret)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind).await.unwrap();
        let store = database.open().await.unwrap();
        let identity = Identity::new(store.clone(), Arc::new(ManualClock::at(at(0))));
        identity.create_agency(agency(), "Sở Tư pháp").await.unwrap();
        let (_, key) = identity.create_account(agency(), account()).await.unwrap();
        test(identity, key).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_key_identifies_its_account() {
    both(async |identity, key| {
        let (other, other_key) =
            identity.create_account(agency(), "registry".parse().unwrap()).await.unwrap();
        let directory = identity.directory().await.unwrap();

        let caller = directory.authenticate(key.expose()).unwrap();
        assert_eq!((&caller.agency, &caller.account), (&agency(), &account()));
        assert_eq!(directory.authenticate(other_key.expose()).unwrap().account, other.name);
        assert!(other_key.expose().contains(&other.key_id));
        // What is kept is not enough to make the key.
        assert!(!format!("{directory:?}{other:?}").contains(&other_key.expose()[22..]));
    })
    .await;
}

#[tokio::test]
async fn whatever_is_not_a_whole_key_is_wrong() {
    both(async |identity, key| {
        let (_, other) = identity.create_account(agency(), "registry".parse().unwrap()).await.unwrap();
        let directory = identity.directory().await.unwrap();
        let (key, other) = (key.expose(), other.expose());
        let crossed = format!("{}{}", &key[..21], &other[21..]);
        let unknown = format!("truc_{}{}", "0".repeat(16), &key[21..]);
        for wrong in ["", "truc_", &key[1..], &key[..64], &crossed, &unknown, &format!("Bearer {key}")] {
            assert_eq!(directory.authenticate(wrong).unwrap_err(), AuthError::Wrong, "{wrong}");
        }
        for position in 0..key.len() {
            let mut bytes = key.as_bytes().to_vec();
            bytes[position] ^= 1;
            let wrong = String::from_utf8(bytes).unwrap();
            assert_eq!(directory.authenticate(&wrong).unwrap_err(), AuthError::Wrong, "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_takes_the_place_of_the_old_one() {
    both(async |identity, old| {
        let new = identity.rotate_key(&agency(), &account()).await.unwrap();
        let directory = identity.directory().await.unwrap();
        assert_eq!(directory.authenticate(old.expose()).unwrap_err(), AuthError::Wrong);
        assert_eq!(directory.authenticate(new.expose()).unwrap().account, account());
        let listed = identity.accounts(&agency()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(new.expose().contains(&listed[0].key_id));
    })
    .await;
}

#[tokio::test]
async fn a_suspended_account_or_agency_is_told_so_and_only_with_the_right_key() {
    both(async |identity, key| {
        let check = async |expected: Result<(), AuthError>| {
            let directory = identity.directory().await.unwrap();
            assert_eq!(directory.authenticate(key.expose()).map(drop), expected);
            let mut wrong = key.expose().to_owned();
            wrong.replace_range(64.., if wrong.ends_with('A') { "Q" } else { "A" });
            assert_eq!(directory.authenticate(&wrong).unwrap_err(), AuthError::Wrong);
        };
        identity.set_account_state(&agency(), &account(), State::Suspended).await.unwrap();
        check(Err(AuthError::Suspended)).await;
        identity.set_agency_state(&agency(), State::Suspended).await.unwrap();
        identity.set_account_state(&agency(), &account(), State::Active).await.unwrap();
        check(Err(AuthError::Suspended)).await;
        identity.set_agency_state(&agency(), State::Active).await.unwrap();
        check(Ok(())).await;
    })
    .await;
}

#[tokio::test]
async fn a_removed_account_is_gone() {
    both(async |identity, key| {
        identity.remove_account(&agency(), &account()).await.unwrap();
        let directory = identity.directory().await.unwrap();
        assert_eq!(directory.authenticate(key.expose()).unwrap_err(), AuthError::Wrong);
        let error = identity.remove_account(&agency(), &account()).await.expect_err("it is gone");
        assert_eq!(error.to_string(), "there is no account one-stop of agency H56.14");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_allowed_that_was_not_granted() {
    both(async |identity, key| {
        let may = async |service: &str, operation: &str, now: Timestamp| {
            let directory = identity.directory().await.unwrap();
            let caller = directory.authenticate(key.expose()).unwrap();
            caller.may(&service.parse().unwrap(), operation, now).map(|grant| grant.id.clone())
        };
        assert_eq!(may("land", OPERATION, at(0)).await, Err(Refusal::NotGranted));

        let one = identity.grant(agency(), grant(OPERATION, None)).await.unwrap();
        assert_eq!(one.purpose.as_deref(), Some("cấp giấy phép xây dựng"));
        assert_eq!(may("land", OPERATION, at(0)).await, Ok(one.id.clone()));
        assert_eq!(may("land", "parcels/register", at(0)).await, Err(Refusal::NotGranted));
        assert_eq!(may("land", "parcels", at(0)).await, Err(Refusal::NotGranted));
        assert_eq!(may("land", "*", at(0)).await, Err(Refusal::NotGranted));
        assert_eq!(may("postal", OPERATION, at(0)).await, Err(Refusal::NotGranted));

        let every = identity.grant(agency(), grant("*", None)).await.unwrap();
        assert_eq!(may("land", "parcels/register", at(0)).await, Ok(every.id.clone()));
        assert_eq!(may("land", OPERATION, at(0)).await, Ok(one.id.clone()));
        assert_eq!(may("postal", OPERATION, at(0)).await, Err(Refusal::NotGranted));

        identity.revoke(&agency(), &one.id).await.unwrap();
        assert_eq!(may("land", OPERATION, at(0)).await, Ok(every.id.clone()));
        identity.revoke(&agency(), &every.id).await.unwrap();
        assert_eq!(may("land", OPERATION, at(0)).await, Err(Refusal::NotGranted));
    })
    .await;
}

#[tokio::test]
async fn a_grant_ends_at_its_end() {
    both(async |identity, key| {
        let short = identity.grant(agency(), grant(OPERATION, Some(at(10)))).await.unwrap();
        let long = identity.grant(agency(), grant("*", Some(at(20)))).await.unwrap();
        let directory = identity.directory().await.unwrap();
        let caller = directory.authenticate(key.expose()).unwrap();
        let may = |now| caller.may(&land(), OPERATION, now).map(|grant| grant.id.as_str());
        assert_eq!(may(at(9)), Ok(&*short.id));
        assert_eq!(may(at(10)), Ok(&*long.id));
        assert_eq!(may(at(19)), Ok(&*long.id));
        assert_eq!(may(at(20)), Err(Refusal::Expired(at(20))));
        assert_eq!(caller.may(&land(), "parcels/register", at(20)).map(drop), Err(Refusal::Expired(at(20))));
        assert_eq!(caller.next_end(at(9)), Some(at(10)));
        assert_eq!(caller.next_end(at(10)), Some(at(20)));
        assert_eq!(caller.next_end(at(20)), None);
        assert_eq!(caller.agency_name(), "Sở Tư pháp");
    })
    .await;
}

#[tokio::test]
async fn grants_belong_to_one_agency_and_all_its_accounts() {
    both(async |identity, key| {
        let neighbour: AgencyCode = "H56.15".parse().unwrap();
        identity.create_agency(neighbour.clone(), "Sở Xây dựng").await.unwrap();
        let (_, foreign) = identity.create_account(neighbour.clone(), account()).await.unwrap();
        let (_, second) = identity.create_account(agency(), "registry".parse().unwrap()).await.unwrap();
        let given = identity.grant(agency(), grant("*", None)).await.unwrap();

        let directory = identity.directory().await.unwrap();
        let may = |key: &Secret| {
            let caller = directory.authenticate(key.expose()).unwrap();
            caller.may(&land(), OPERATION, at(0)).map(|grant| grant.id.clone())
        };
        assert_eq!(may(&key), Ok(given.id.clone()));
        assert_eq!(may(&second), Ok(given.id.clone()));
        assert_eq!(may(&foreign), Err(Refusal::NotGranted));

        assert_eq!(identity.grants(&agency()).await.unwrap(), std::slice::from_ref(&given));
        assert_eq!(identity.grants(&neighbour).await.unwrap(), []);
        let error = identity.revoke(&neighbour, &given.id).await.expect_err("another agency's grant");
        assert!(matches!(error, IdentityError::NotFound(_)), "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_index_stays_as_it_was_made() {
    both(async |identity, key| {
        let before = identity.directory().await.unwrap();
        identity.grant(agency(), grant("*", None)).await.unwrap();
        identity.rotate_key(&agency(), &account()).await.unwrap();
        let caller = before.authenticate(key.expose()).unwrap();
        assert_eq!(caller.may(&land(), OPERATION, at(0)).map(drop), Err(Refusal::NotGranted));
    })
    .await;
}

#[tokio::test]
async fn refusals_of_the_control_plane_say_what_is_wrong() {
    both(async |identity, _| {
        let text = |result: Result<(), IdentityError>| result.expect_err("it is wrong").to_string();
        let missing: AgencyCode = "H56.99".parse().unwrap();

        assert_eq!(
            text(identity.create_agency(agency(), "Again").await.map(drop)),
            "agency H56.14 exists already"
        );
        assert_eq!(
            text(identity.create_agency(missing.clone(), " ").await.map(drop)),
            "name must not be empty"
        );
        assert!(
            text(identity.create_agency(missing.clone(), &"x".repeat(201)).await.map(drop))
                .contains("at most 200")
        );
        assert!(
            text(identity.create_agency(missing.clone(), "a\u{1b}[31mb").await.map(drop))
                .contains("control character")
        );
        assert_eq!(
            text(identity.create_account(agency(), account()).await.map(drop)),
            "account one-stop of agency H56.14 exists already"
        );
        let no_agency = "there is no agency H56.99";
        assert_eq!(text(identity.create_account(missing.clone(), account()).await.map(drop)), no_agency);
        assert_eq!(text(identity.grant(missing.clone(), grant("*", None)).await.map(drop)), no_agency);
        assert_eq!(text(identity.accounts(&missing).await.map(drop)), no_agency);
        assert_eq!(text(identity.grants(&missing).await.map(drop)), no_agency);
        assert_eq!(text(identity.agency(&missing).await.map(drop)), no_agency);
        assert_eq!(text(identity.set_agency_state(&missing, State::Active).await), no_agency);
        assert_eq!(
            text(identity.rotate_key(&agency(), &"other".parse().unwrap()).await.map(drop)),
            "there is no account other of agency H56.14"
        );
        assert!(text(identity.grant(agency(), grant("*", Some(at(0)))).await.map(drop)).contains("past"));
        assert!(text(identity.revoke(&agency(), "x").await).contains("no grant \"x\" of agency H56.14"));
        assert!("parcels".parse::<Operations>().is_err());
    })
    .await;
}
