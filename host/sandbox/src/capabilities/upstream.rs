//! `truc:connector/upstream`: calls by handle; the number of calls is bounded here, everything else in `truc-egress`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use truc_contract::Method;
use truc_egress::{CallError, Limits, Request, Response, Upstream, Visit};

use super::Environment;
use super::bindings::truc::connector::upstream::{
    Error, Host, Method as WitMethod, Request as WitRequest, Response as WitResponse,
};
use crate::call::Call;

/// Requests that may be under way at once in one call.
const MAX_AT_ONCE: usize = 16;

impl Host for Call {
    async fn call(&mut self, request: WitRequest) -> Result<WitResponse, Error> {
        self.count()?;
        let upstream = find(&self.environment, &request.upstream)?;
        self.send(&upstream.visit()?, request).await
    }

    async fn call_all(&mut self, requests: Vec<WitRequest>) -> Vec<Result<WitResponse, Error>> {
        let environment = self.environment.clone();
        let mut visits = BTreeMap::new();
        let ready: Vec<_> = requests
            .into_iter()
            .enumerate()
            .map(|(index, request)| {
                if index >= MAX_AT_ONCE {
                    return Err(Error::Exhausted(format!("at most {MAX_AT_ONCE} requests go at once")));
                }
                self.count()?;
                Ok((visit(&environment, &mut visits, &request.upstream)?, request))
            })
            .collect();
        let call = &*self;
        join_all(ready.into_iter().map(async |ready| {
            let (visit, request) = ready?;
            call.send(&visit, request).await
        }))
        .await
    }
}

/// An upstream by the handle that the connector gives.
fn find<'e>(environment: &'e Environment, handle: &str) -> Result<&'e Upstream, Error> {
    environment.upstreams.get(handle).map(|upstream| &**upstream).ok_or_else(|| {
        Error::Denied(format!(
            "the manifest declares no upstream {:?}; declare it under [upstreams] and have the operator bind it",
            handle.chars().take(80).collect::<String>()
        ))
    })
}

/// The visit to an upstream: the same one for all requests that go at once, as they are one call's.
fn visit<'e>(
    environment: &'e Environment,
    visits: &mut BTreeMap<String, Arc<Visit<'e>>>,
    handle: &str,
) -> Result<Arc<Visit<'e>>, Error> {
    if let Some(visit) = visits.get(handle) {
        return Ok(visit.clone());
    }
    let visit = Arc::new(find(environment, handle)?.visit()?);
    visits.insert(handle.to_owned(), visit.clone());
    Ok(visit)
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

    async fn send(&self, visit: &Visit<'_>, request: WitRequest) -> Result<WitResponse, Error> {
        let limits = &self.environment.limits;
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
        visit.call(request, bounds).await.map(WitResponse::from).map_err(Error::from)
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
