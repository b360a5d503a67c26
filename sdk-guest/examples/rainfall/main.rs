//! A complete small connector: one operation, one upstream, a configured cache, and its tests.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use truc_sdk::calendar::Date;
use truc_sdk::{Problem, cache, config, upstream};

use bindings::exports::lgsp::rainfall::stations::{Guest, Rainfall};

truc_sdk::connector!(Connector {
    world: "lgsp:rainfall/connector",
    wit: ["../wit/truc", "examples/rainfall"],
});

struct Connector;

/// The service's own answer: millimetres, or a number below zero where nothing was measured.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LuongMua {
    ten_tram: String,
    luong_mua: f64,
}

impl Guest for Connector {
    fn rainfall_of_day(station: String, day: String) -> Result<Rainfall, Problem> {
        let day = Date::from_iso(&day).ok_or_else(|| Problem::fault("/day", "is no date that exists"))?;
        let key = format!("{station} {day}");
        let measured: LuongMua = match cache::get(&key) {
            Some(kept) => kept,
            None => {
                let measured = upstream("service")
                    .get("/tram/{ma}/mua")
                    .parameter("ma", station)
                    .query("ngay", day.slashed())
                    .send()?
                    .json()?;
                let keep = u64::try_from(config::integer("keep-seconds")?).unwrap_or(0);
                cache::put(&key, &measured, Duration::from_secs(keep))?;
                measured
            }
        };
        if measured.luong_mua < 0.0 {
            return Err(Problem::not_found("nothing was measured on this day"));
        }
        Ok(Rainfall { station: measured.ten_tram, amount: (measured.luong_mua * 10.0).round() as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use truc_sdk::testing::{Answer, Host};
    use truc_sdk::upstream::CallError;

    const REQUEST: &str = "GET /tram/{ma}/mua";

    fn host() -> Host {
        Host::new(include_str!("connector.toml"))
    }

    fn ask() -> Result<Rainfall, Problem> {
        Connector::rainfall_of_day("TM01".into(), "2025-10-28".into())
    }

    #[test]
    fn a_measurement_is_translated_and_kept() {
        let host = host();
        host.answer("service", REQUEST, json!({ "tenTram": "Trà My", "luongMua": 127.5 }));

        let expected = Rainfall { station: "Trà My".into(), amount: 1_275 };
        assert_eq!((ask(), ask()), (Ok(expected.clone()), Ok(expected)));

        let request = host.request();
        assert_eq!(request.parameters, [("ma".into(), "TM01".into())]);
        assert_eq!(request.query, [("ngay".into(), "28/10/2025".into())]);
    }

    #[test]
    fn a_day_without_measurement_is_not_found() {
        let host = host();
        host.answer("service", REQUEST, json!({ "tenTram": "Trà My", "luongMua": -1 }));
        assert!(matches!(ask(), Err(Problem::NotFound(_))));
    }

    #[test]
    fn failures_of_the_service_have_their_own_problems() {
        let host = host();
        host.answer("service", REQUEST, CallError::Timeout("no byte within 5 s".into()))
            .answer("service", REQUEST, Answer::new(503, ""))
            .answer("service", REQUEST, Answer::new(200, "<html>"));
        assert!(matches!(ask(), Err(Problem::UpstreamTimeout(_))));
        assert!(matches!(ask(), Err(Problem::Unavailable(_))));
        assert!(matches!(ask(), Err(Problem::UpstreamFailed(_))));
    }

    #[test]
    fn a_date_that_does_not_exist_never_reaches_the_service() {
        let host = host();
        let answer = Connector::rainfall_of_day("TM01".into(), "2025-02-29".into());
        assert!(matches!(answer, Err(Problem::Invalid(_))));
        assert!(host.requests().is_empty());
    }
}
