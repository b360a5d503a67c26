//! The place of pages for people: at and below `/docs`, beside the API. Who makes them is handed to the gateway; they
//! need no key, are no exchanges and are not recorded.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use truc_fleet::Snapshot;

use crate::server::Gateway;

/// The answer to a request for a page, when it is ready.
pub type PageFuture<'a> = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send + 'a>>;

/// Whatever answers requests for paths at and below `/docs`.
pub trait Pages: Send + Sync {
    /// Answers a request, whatever its method; its body is not read. Nothing may be done here that keeps a thread from
    /// other requests for long.
    fn answer<'a>(&'a self, snapshot: Arc<Snapshot>, request: Request<()>) -> PageFuture<'a>;
}

/// The answer to a request for a page, if that is what was asked for and there are any.
pub(crate) fn page<'a>(gateway: &'a Gateway, request: &Request<Incoming>) -> Option<PageFuture<'a>> {
    let pages = gateway.pages.as_ref()?;
    let path = request.uri().path();
    if path != "/docs" && !path.starts_with("/docs/") {
        return None;
    }
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    Some(pages.answer(gateway.fleet.snapshot(), head))
}
