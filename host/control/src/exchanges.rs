//! `/admin/exchanges`: what was asked, by whom, why, and what became of it.

use std::sync::Arc;

use axum::extract::State;
use truc_ledger::{End, Filter};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::documents::{Exchange, ExchangeList, ExchangeQuery};
use crate::openapi::problems;
use crate::parameters::Query;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list))
}

problems!(ListProblems: InvalidRequest, MalformedRequest);

/// List exchanges
///
/// Those that arrived last first, in parts. Every exchange is in the ledger before its caller has the answer, refused
/// ones too.
#[utoipa::path(
    get, path = "/admin/exchanges", tag = "exchanges", operation_id = "listExchanges",
    params(ExchangeQuery),
    responses((status = 200, description = "Part of the listing.", body = ExchangeList), ListProblems),
)]
async fn list(
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<axum::Json<ExchangeList>, Refusal> {
    let page = control.parts.ledger.list(&filter(query)?).await?;
    Ok(axum::Json(ExchangeList {
        exchanges: page.entries.into_iter().map(Exchange::from).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

fn filter(mut query: Query) -> Result<Filter, Refusal> {
    let filter = Filter {
        from: query.take("from"),
        to: query.take("to"),
        agency: query.take("agency"),
        service: query.take("service"),
        status: query.take_with("status", |text| match text.parse() {
            Ok(status @ 100..=599) => Ok(status),
            _ => Err(format!("{text:?} is not an HTTP status: write a number from 100 to 599")),
        }),
        problem: query.take("problem"),
        end: query.take_with("end", |text| match text {
            "known" => Ok(End::Known),
            "unknown" => Ok(End::Unknown),
            _ => Err(format!("{text:?} is neither `known` nor `unknown`")),
        }),
        limit: query.take_with("limit", |text| match text.parse() {
            Ok(limit @ 1..=Filter::MOST) => Ok(limit),
            _ => Err(format!("{text:?} is not a number from 1 to {}", Filter::MOST)),
        }),
        after: query.take("cursor"),
    };
    query.finish()?;
    Ok(filter)
}
