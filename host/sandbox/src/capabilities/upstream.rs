//! `truc:connector/upstream`: calls by handle; the number of calls and the bytes of a call as a whole are bounded here,
//! everything else in `truc-egress`.
//!
//! Bytes are counted in both directions. What is left of them, or of the memory that the host has for the call, is
//! shared equally among requests that go at once, so that their answers together never take more.

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
use crate::settings::{MAX_AT_ONCE, MAX_REQUEST_HEAD};

/// What one pair of a request's lists costs the host beside its text.
const PAIR: usize = size_of::<(String, String)>();

/// The most bytes that the answer to each of some requests may have.
#[derive(Clone, Copy)]
struct Share {
    bytes: u64,
    /// What was used up if an answer has more.
    used_up: UsedUp,
}

#[derive(Clone, Copy)]
enum UsedUp {
    /// Nothing: it is more than any single answer may have.
    Nothing,
    /// The bytes of the call.
    Bytes,
    /// The memory that the host has for the call.
    Memory,
}

impl Host for Call {
    async fn call(&mut self, request: WitRequest) -> Result<WitResponse, Error> {
        let request = self.count(request)?;
        let share = self.share([&request].into_iter())?;
        let answered = {
            let visit = find(&self.environment, &request.upstream)?.visit()?;
            self.send(&visit, request, share).await
        };
        self.spend(&answered, share);
        answered
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
                let request = self.count(request)?;
                Ok((visit(&environment, &mut visits, &request.upstream)?, request))
            })
            .collect();
        let share = self.share(ready.iter().flatten().map(|(_, request)| request));
        let call = &*self;
        let answered = join_all(ready.into_iter().map(async |ready| match (ready, &share) {
            (Ok((visit, request)), Ok(share)) => call.send(&visit, request, *share).await,
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(error.clone()),
        }))
        .await;
        if let Ok(share) = share {
            for answered in &answered {
                self.spend(answered, share);
            }
        }
        answered
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
    /// Counts a request and its body; what is too large is let go of at once.
    fn count(&mut self, request: WitRequest) -> Result<WitRequest, Error> {
        let limits = &self.environment.limits;
        let most = limits.upstream_calls;
        if self.progress.upstream_calls() >= most {
            return Err(Error::Exhausted(format!("the limit `upstream-calls` of {most} is used up")));
        }
        self.progress.count_upstream_call();
        if head(&request) > MAX_REQUEST_HEAD {
            return Err(Error::Denied(format!(
                "path, parameters, query and header fields have more than {MAX_REQUEST_HEAD} bytes together"
            )));
        }
        let body = body(&request);
        if body > limits.upstream_bytes.0 {
            return Err(Error::TooLarge(limits.upstream_bytes.0));
        }
        let most = limits.upstream_total_bytes;
        let bytes = self.upstream_bytes.saturating_add(body);
        if bytes > most.0 {
            return Err(Error::Exhausted(format!("the limit `upstream-total-bytes` of {most} is used up")));
        }
        self.upstream_bytes = bytes;
        Ok(request)
    }

    /// What the answers to requests that were counted and go at once may have.
    fn share<'r>(&self, requests: impl Iterator<Item = &'r WitRequest>) -> Result<Share, Error> {
        let limits = &self.environment.limits;
        let (mut count, mut held) = (0, 0);
        for request in requests {
            count += 1;
            held += head(request) as u64 + body(request);
        }
        let each = |bytes: u64| bytes / u64::max(count, 1);
        let bytes = each(limits.upstream_total_bytes.0.saturating_sub(self.upstream_bytes));
        let memory = each(self.host_room.saturating_sub(held));
        let (bytes, used_up) = match limits.upstream_bytes.0 {
            most if most <= bytes && most <= memory => (most, UsedUp::Nothing),
            _ if bytes <= memory => (bytes, UsedUp::Bytes),
            _ => (memory, UsedUp::Memory),
        };
        let share = Share { bytes, used_up };
        match (bytes, used_up) {
            // Nothing is sent whose answer could not be taken.
            (0, UsedUp::Bytes | UsedUp::Memory) => Err(self.exceeded(share)),
            _ => Ok(share),
        }
    }

    fn exceeded(&self, share: Share) -> Error {
        let limits = &self.environment.limits;
        let used_up = |name: &str, most| Error::Exhausted(format!("the limit `{name}` of {most} is used up"));
        match share.used_up {
            UsedUp::Nothing => Error::TooLarge(share.bytes),
            UsedUp::Bytes => used_up("upstream-total-bytes", limits.upstream_total_bytes),
            UsedUp::Memory => used_up("host-memory", limits.host_memory),
        }
    }

    /// Counts what came back. An answer that was too large was read up to there.
    fn spend(&mut self, answered: &Result<WitResponse, Error>, share: Share) {
        let bytes = match answered {
            Ok(response) => response.body.len() as u64,
            Err(Error::TooLarge(_) | Error::Exhausted(_)) => share.bytes,
            Err(_) => 0,
        };
        self.upstream_bytes = self.upstream_bytes.saturating_add(bytes);
    }

    async fn send(&self, visit: &Visit<'_>, request: WitRequest, share: Share) -> Result<WitResponse, Error> {
        let bounds = Limits { max_body: truc_model::Bytes(share.bytes), deadline: self.deadline };
        let request = Request {
            method: request.method.into(),
            path: request.path,
            parameters: request.parameters,
            query: request.query,
            headers: request.headers,
            body: request.body,
        };
        match visit.call(request, bounds).await {
            Ok(response) => Ok(response.into()),
            Err(CallError::TooLarge(_)) => Err(self.exceeded(share)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the host holds of a request beside its body.
fn head(request: &WitRequest) -> usize {
    let pairs = [&request.parameters, &request.query, &request.headers].into_iter().flatten();
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len() + PAIR).sum();
    request.upstream.len() + request.path.len() + pairs
}

fn body(request: &WitRequest) -> u64 {
    request.body.as_ref().map_or(0, |body| body.len() as u64)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use truc_contract::{Allowed, UpstreamRule};
    use truc_egress::{Binding, Secrets, Surroundings, SystemJitter, SystemResolver};
    use truc_model::{Bytes, SystemClock};

    use super::*;
    use crate::settings::tests::call;

    /// A call to an upstream that answers `GET /{length}` with so many bytes, under limits.
    async fn call_under(limits: truc_model::Limits) -> Call {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    let head = String::from_utf8(head).unwrap();
                    let length: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                    // Whoever wants no more of it closes its side.
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.write_all(&vec![b'x'; length]).await;
                });
            }
        });
        let rule = UpstreamRule {
            description: "lengths".to_owned(),
            allow: vec![Allowed { method: Method::Get, path: "/{length}".parse().unwrap() }],
        };
        let (handle, service) = ("lengths".parse().unwrap(), "service".parse().unwrap());
        let surroundings = Surroundings {
            service: &service,
            concurrency: limits.concurrency,
            upstreams: 1,
            jitter: Arc::new(SystemJitter),
            clock: Arc::new(SystemClock),
            before: None,
        };
        let (binding, resolver) = (Binding::to(address), Arc::new(SystemResolver));
        let bound = Upstream::bind(&handle, &rule, &binding, &Secrets::of([]), resolver, &surroundings);
        call(limits, BTreeMap::from([(handle, bound.unwrap())]))
    }

    fn request(length: usize) -> WitRequest {
        WitRequest {
            upstream: "lengths".to_owned(),
            method: WitMethod::Get,
            path: "/{length}".to_owned(),
            parameters: vec![("length".to_owned(), length.to_string())],
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    fn outcome(answered: Result<WitResponse, Error>) -> Result<usize, String> {
        answered.map(|response| response.body.len()).map_err(|error| format!("{error:?}"))
    }

    #[tokio::test]
    async fn bytes_are_added_up_over_a_call() {
        let limits = truc_model::Limits {
            upstream_bytes: Bytes(1_000),
            upstream_total_bytes: Bytes(2_500),
            ..truc_model::Limits::default()
        };
        let mut call = call_under(limits).await;
        assert_eq!(outcome(call.call(request(1_000)).await), Ok(1_000));
        let too_large = outcome(call.call(request(1_001)).await);
        assert_eq!(
            too_large.unwrap_err(),
            "Error::TooLarge(1000)",
            "its own limit is told, and it was read up to there"
        );
        assert_eq!(call.upstream_bytes, 2_000);
        let exhausted = outcome(call.call(request(501)).await).unwrap_err();
        assert!(exhausted.contains("`upstream-total-bytes` of 2500B is used up"), "{exhausted}");
        let calls = call.progress.upstream_calls();
        let refused = outcome(call.call(request(0)).await).unwrap_err();
        assert!(refused.contains("is used up"), "{refused}");
        assert_eq!((call.progress.upstream_calls(), call.upstream_bytes), (calls + 1, 2_500));
    }

    #[tokio::test]
    async fn requests_that_go_at_once_share_what_is_left() {
        let limits = truc_model::Limits {
            upstream_bytes: Bytes(1_000),
            upstream_total_bytes: Bytes(2_000),
            ..truc_model::Limits::default()
        };
        let mut call = call_under(limits).await;
        let answered = call.call_all((0..4).map(|_| request(500)).collect()).await;
        assert!(answered.into_iter().all(|answered| outcome(answered) == Ok(500)));
        assert_eq!(call.upstream_bytes, 2_000);

        let mut call = call_under(limits).await;
        let answered = call.call_all(vec![request(501), request(10), request(500), request(1)]).await;
        let answered: Vec<_> = answered.into_iter().map(outcome).collect();
        assert!(answered[0].as_ref().unwrap_err().contains("is used up"));
        assert_eq!(answered[1..], [Ok(10), Ok(500), Ok(1)]);
    }

    #[tokio::test]
    async fn the_memory_that_the_host_has_bounds_what_comes_back_at_once() {
        let limits = truc_model::Limits { host_memory: Bytes(10_000), ..truc_model::Limits::default() };
        let mut call = call_under(limits).await;
        assert_eq!(outcome(call.call(request(9_000)).await), Ok(9_000));
        assert_eq!(
            outcome(call.call(request(9_000)).await),
            Ok(9_000),
            "what was handed over is held no more"
        );
        let error = outcome(call.call(request(10_000)).await).unwrap_err();
        assert!(error.contains("`host-memory` of 10000B is used up"), "{error}");
        let answered = call.call_all(vec![request(6_000), request(4_000)]).await;
        let answered: Vec<_> = answered.into_iter().map(outcome).collect();
        assert!(answered[0].as_ref().unwrap_err().contains("host-memory"));
        assert_eq!(answered[1], Ok(4_000));
    }

    #[tokio::test]
    async fn a_request_that_is_all_head_is_let_go_of() {
        let mut call = call_under(truc_model::Limits::default()).await;
        let mut large = request(1);
        large.query = vec![(String::new(), String::new()); MAX_REQUEST_HEAD / PAIR];
        assert!(outcome(call.call(large).await).unwrap_err().contains("have more than 65536 bytes together"));
        let mut large = request(1);
        large.path = "x".repeat(MAX_REQUEST_HEAD);
        assert!(outcome(call.call(large).await).unwrap_err().contains("have more than 65536 bytes together"));
        assert_eq!(outcome(call.call(request(1)).await), Ok(1));
    }
}
