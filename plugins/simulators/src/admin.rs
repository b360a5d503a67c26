//! The admin address: samples, call counts, and the switches for faults. Loopback only, without credentials.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use hyper::StatusCode;
use serde_json::json;

use crate::fault::{Board, Fault, System};
use crate::http::{JsonObject, answer};
use crate::samples::samples;
use crate::world::World;

#[derive(Clone)]
struct Admin {
    world: Arc<World>,
    board: Arc<Board>,
}

pub(crate) fn router(world: Arc<World>, board: Arc<Board>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route(
            "/samples",
            get(async |State(admin): State<Admin>| answer(StatusCode::OK, &samples(&admin.world))),
        )
        .route("/calls", get(calls).delete(forget_calls))
        .route("/faults", get(faults).delete(clear_all))
        .route("/faults/{system}", put(set).delete(clear))
        .with_state(Admin { world, board })
}

async fn calls(State(admin): State<Admin>) -> Response {
    answer(StatusCode::OK, &admin.board.calls_shown())
}

async fn forget_calls(State(admin): State<Admin>) -> StatusCode {
    admin.board.forget_calls();
    StatusCode::NO_CONTENT
}

async fn faults(State(admin): State<Admin>) -> Response {
    answer(StatusCode::OK, &admin.board.faults_shown())
}

async fn clear_all(State(admin): State<Admin>) -> StatusCode {
    admin.board.clear_all();
    StatusCode::NO_CONTENT
}

async fn clear(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    let Some(system) = System::named(&name) else { return unknown(&name) };
    admin.board.clear(system);
    StatusCode::NO_CONTENT.into_response()
}

async fn set(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    JsonObject(members): JsonObject,
) -> Response {
    let Some(system) = System::named(&name) else { return unknown(&name) };
    let set = Fault::read(members).and_then(|fault| {
        admin.board.set(system, fault.clone())?;
        Ok(fault)
    });
    match set {
        Ok(fault) => answer(StatusCode::OK, &fault),
        Err(error) => answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"error": error.to_string()})),
    }
}

fn unknown(name: &str) -> Response {
    let known: Vec<_> = System::ALL.into_iter().map(System::name).collect();
    let error = format!("there is no system {name:?}; there are {}", known.join(", "));
    answer(StatusCode::NOT_FOUND, &json!({"error": error}))
}
