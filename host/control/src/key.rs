//! The admin key: whoever has it may do everything, whoever has not learns nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use truc_listen::Line;
use truc_model::Code;

use crate::refusal::Refusal;
use crate::server::Control;

/// Lets a request pass that carries the admin key. What it asks for is looked at only then.
pub(crate) async fn require(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let key = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer),
        _ => None,
    };
    let Some(key) = key else {
        return Err(Refusal::new(
            Code::MissingKey,
            "Send exactly one header `Authorization: Bearer <admin key>`.",
        ));
    };
    if !control.parts.admin_key.verify(key) {
        return Err(Refusal::new(Code::WrongKey, "Send the admin key this host was started with."));
    }
    if let Some(line) = request.extensions().get::<Arc<Line>>() {
        line.trust();
    }
    Ok(next.run(request).await)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
