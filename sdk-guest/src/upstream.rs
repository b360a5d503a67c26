//! Calls to the upstreams that the operator has bound.
//!
//! A request is built from a handle, a method and a path template of the manifest. The host fills the template, adds
//! the credential and enforces the limits; nothing here knows an address.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::wit::upstream::{Error as CallError, Method};

use crate::error::Error;
use crate::host::upstream as host;
use crate::wit::upstream as wit;

/// How many calls the host makes at once.
const AT_ONCE: usize = 16;

/// The upstream with this handle in the manifest.
pub fn upstream(handle: &str) -> Upstream<'_> {
    Upstream { handle }
}

/// An upstream, known by its handle.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a> {
    handle: &'a str,
}

impl Upstream<'_> {
    /// A request with any method. `path` is a template exactly as in the manifest.
    pub fn request(self, method: Method, path: &str) -> Request {
        Request(wit::Request {
            upstream: self.handle.to_owned(),
            method,
            path: path.to_owned(),
            parameters: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        })
    }

    /// A `GET` request.
    pub fn get(self, path: &str) -> Request {
        self.request(Method::Get, path)
    }

    /// A `HEAD` request.
    pub fn head(self, path: &str) -> Request {
        self.request(Method::Head, path)
    }

    /// A `POST` request.
    pub fn post(self, path: &str) -> Request {
        self.request(Method::Post, path)
    }

    /// A `PUT` request.
    pub fn put(self, path: &str) -> Request {
        self.request(Method::Put, path)
    }

    /// A `PATCH` request.
    pub fn patch(self, path: &str) -> Request {
        self.request(Method::Patch, path)
    }

    /// A `DELETE` request.
    pub fn delete(self, path: &str) -> Request {
        self.request(Method::Delete, path)
    }
}

/// A request being built.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request(wit::Request);

impl Request {
    /// A value for a parameter of the path template. The host encodes it as one path segment.
    pub fn parameter(mut self, name: &str, value: impl ToString) -> Self {
        self.0.parameters.push((name.to_owned(), value.to_string()));
        self
    }

    /// A query parameter. The host encodes it.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.0.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// A header field. The host refuses framing, routing and credential fields.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.0.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// A body of bytes with its media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = Some(body.into());
        self.header("content-type", media_type)
    }

    /// A JSON body.
    ///
    /// # Errors
    /// [`Error::Encode`] where the value has no JSON form, for instance a map whose keys are not texts.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Encode(error.to_string()))?;
        Ok(self.body("application/json", body))
    }

    /// Makes the call and waits for the whole response. Every status is a response; [`Response::json`] and
    /// [`Response::success`] refuse those that are no success.
    ///
    /// # Errors
    /// [`Error::NoResponse`].
    pub fn send(self) -> Result<Response, Error> {
        let answer = host::call(&self.0);
        Response::new(self.0.upstream, answer)
    }
}

/// Makes several calls at once and waits for all of them. The answers come in the order of the requests. More than
/// sixteen are made in rounds of sixteen.
pub fn send_all(requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response, Error>> {
    let requests: Vec<_> = requests.into_iter().map(|request| request.0).collect();
    requests
        .chunks(AT_ONCE)
        .flat_map(|round| {
            let answers = host::call_all(round);
            round.iter().zip(answers).map(|(request, answer)| Response::new(request.upstream.clone(), answer))
        })
        .collect()
}

/// What an upstream answered.
#[derive(Debug, Clone)]
pub struct Response {
    upstream: String,
    response: wit::Response,
}

impl Response {
    fn new(upstream: String, answer: Result<wit::Response, wit::Error>) -> Result<Self, Error> {
        match answer {
            Ok(response) => Ok(Self { upstream, response }),
            Err(error) => Err(Error::NoResponse { upstream, error }),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// Whether the status is a success (2xx).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// The first header field of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All header fields in order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// The response, if its status is a success.
    ///
    /// # Errors
    /// [`Error::Status`].
    pub fn success(self) -> Result<Self, Error> {
        if self.is_success() {
            return Ok(self);
        }
        let retry_after = self.header("retry-after").and_then(|value| value.trim().parse().ok());
        Err(Error::Status { status: self.response.status, retry_after, upstream: self.upstream })
    }

    /// The JSON body of a success.
    ///
    /// # Errors
    /// [`Error::Status`], [`Error::Body`].
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.success()?.json_at_any_status()
    }

    /// The JSON body, for systems that answer with their envelope whatever the status.
    ///
    /// # Errors
    /// [`Error::Body`].
    pub fn json_at_any_status<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.response.body).map_err(|error| {
            // Where and of what kind, never the content: the text reaches the agency.
            let kind = match error.classify() {
                serde_json::error::Category::Data => "JSON of another shape",
                serde_json::error::Category::Eof => "JSON that ends too early",
                _ => "not JSON",
            };
            let (line, column) = (error.line(), error.column());
            self.not_understood(format!("{kind} at line {line}, column {column}"))
        })
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Error::Body`] where it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.response.body).map_err(|_| self.not_understood("not UTF-8"))
    }

    /// The error for a body that can be read but means nothing to the connector. `detail` must not quote it.
    pub fn not_understood(&self, detail: impl Into<String>) -> Error {
        Error::Body { upstream: self.upstream.clone(), detail: detail.into() }
    }
}
