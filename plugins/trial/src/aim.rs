//! Requests of the caller's making, passed on to the host without a second look.

use truc_sdk::wit::upstream::{self, Error, Method};

use crate::Connector;
use crate::bindings::exports::lgsp::trial::aim::{Guest, Outcome, Request, Verb};

impl Guest for Connector {
    fn send(request: Request) -> Outcome {
        let answer = upstream::call(&upstream::Request {
            upstream: request.upstream,
            method: match request.verb {
                Verb::Get => Method::Get,
                Verb::Head => Method::Head,
                Verb::Post => Method::Post,
                Verb::Put => Method::Put,
                Verb::Patch => Method::Patch,
                Verb::Delete => Method::Delete,
            },
            path: request.path,
            parameters: request.parameters,
            query: request.query,
            headers: request.headers,
            body: request.body.map(String::into_bytes),
        });
        match answer {
            Ok(answer) => Outcome::Answered(answer.status),
            Err(Error::Denied(text)) => Outcome::Denied(text),
            Err(Error::Timeout(text)) => Outcome::Timeout(text),
            Err(Error::Unreachable(text)) => Outcome::Unreachable(text),
            Err(Error::Interrupted(text)) => Outcome::Interrupted(text),
            Err(Error::TooLarge(limit)) => Outcome::TooLarge(limit),
            Err(Error::Exhausted(text)) => Outcome::Exhausted(text),
        }
    }
}
