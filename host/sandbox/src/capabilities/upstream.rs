//! `truc:connector/upstream`: calls by handle; the number of calls is bounded here, everything else in `truc-egress`.

use futures_util::future::join_all;
use truc_contract::Method;
use truc_egress::{CallError, Limits, Request, Response};

use super::bindings::truc::connector::upstream::{
    Error, Host, Method as WitMethod, Request as WitRequest, Response as WitResponse,
};
use crate::call::Call;

/// Requests that may be under way at once in one call.
const MAX_AT_ONCE: usize = 16;

impl Host for Call {
    async fn call(&mut self, request: WitRequest) -> Result<WitResponse, Error> {
        self.count()?;
        self.send(request).await
    }

    async fn call_all(&mut self, requests: Vec<WitRequest>) -> Vec<Result<WitResponse, Error>> {
        let counted: Vec<Result<WitRequest, Error>> = requests
            .into_iter()
            .enumerate()
            .map(|(index, request)| match index {
                0..MAX_AT_ONCE => self.count().map(|()| request),
                _ => Err(Error::Exhausted(format!("at most {MAX_AT_ONCE} requests go at once"))),
            })
            .collect();
        let call = &*self;
        join_all(counted.into_iter().map(async |request| match request {
            Ok(request) => call.send(request).await,
            Err(error) => Err(error),
        }))
        .await
    }
}

impl Call {
    fn count(&mut self) -> Result<(), Error> {
        let most = self.environment.limits.upstream_calls;
        if self.upstream_calls >= most {
            return Err(Error::Exhausted(format!("the limit `upstream-calls` of {most} is used up")));
        }
        self.upstream_calls += 1;
        Ok(())
    }

    async fn send(&self, request: WitRequest) -> Result<WitResponse, Error> {
        let limits = &self.environment.limits;
        let Some(upstream) = self.environment.upstreams.get(request.upstream.as_str()) else {
            return Err(Error::Denied(format!(
                "the manifest declares no upstream {:?}; declare it under [upstreams] and have the operator bind it",
                request.upstream.chars().take(80).collect::<String>()
            )));
        };
        if let Some(body) = &request.body
            && body.len() > limits.upstream_bytes.as_usize()
        {
            return Err(Error::TooLarge(limits.upstream_bytes.0));
        }
        let bounds = Limits { max_body: limits.upstream_bytes, deadline: self.deadline };
        let request = Request {
            method: request.method.into(),
            path: request.path,
            parameters: request.parameters,
            query: request.query,
            headers: request.headers,
            body: request.body,
        };
        upstream.call(request, bounds).await.map(WitResponse::from).map_err(Error::from)
    }
}

impl From<WitMethod> for Method {
    fn from(method: WitMethod) -> Self {
        match method {
            WitMethod::Get => Method::Get,
            WitMethod::Head => Method::Head,
            WitMethod::Post => Method::Post,
            WitMethod::Put => Method::Put,
            WitMethod::Patch => Method::Patch,
            WitMethod::Delete => Method::Delete,
        }
    }
}

impl From<Response> for WitResponse {
    fn from(response: Response) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Denied(text) => Error::Denied(text),
            CallError::Timeout(text) => Error::Timeout(text),
            CallError::Unreachable(text) => Error::Unreachable(text),
            CallError::Interrupted(text) => Error::Interrupted(text),
            CallError::TooLarge(limit) => Error::TooLarge(limit),
        }
    }
}
