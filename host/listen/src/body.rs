//! Bodies: received whole, within bounds of size, time and pace.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use truc_model::{Code, Millis, Problem};

use crate::line::Line;
use crate::server::Manners;

/// What is taken of a body.
#[derive(Debug, Clone, Copy)]
pub struct Reception {
    /// The most bytes.
    pub most: usize,
    /// The bytes that were announced, if any were.
    pub announced: usize,
}

/// Why a body was not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreceived {
    /// It has more bytes than are taken.
    TooLarge,
    /// It ended early, or is framed wrongly.
    Broken,
    /// It did not end in time.
    Late(Millis),
    /// It moved too slowly.
    Slow,
}

impl Unreceived {
    /// What the sender is told; the room that reads knows what to say of a body that is too large.
    pub fn problem(self, too_large: impl FnOnce() -> Problem) -> Problem {
        match self {
            Self::TooLarge => too_large(),
            Self::Broken => {
                Problem::new(Code::MalformedRequest, "The body ended early or is framed wrongly.")
            }
            Self::Late(bound) => {
                Problem::new(Code::RequestTimeout, format!("The whole body must arrive within {bound}."))
            }
            Self::Slow => {
                Problem::new(Code::RequestTimeout, "The body came too slowly: send it without pauses.")
            }
        }
    }
}

/// What makes a body one that is not read: its media type, or that it is encoded.
///
/// # Errors
/// A media type other than `expected`, a character set other than UTF-8, or any content coding: nothing is ever
/// decompressed here.
pub fn check_media_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let coded = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(coded) {
        return refuse("Compressed bodies are not taken: send it without `Content-Encoding`.".to_owned());
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let given = match (types.next(), types.next()) {
        (Some(given), None) => given.to_str().unwrap_or_default(),
        _ => "",
    };
    let mut parts = given.split(';').map(str::trim);
    if !parts.next().unwrap_or_default().eq_ignore_ascii_case(expected) {
        return refuse(format!("Send the header `Content-Type: {expected}`, once."));
    }
    let other_characters = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    match parts.any(other_characters) {
        true => refuse("Send the body in UTF-8, and say no other character set.".to_owned()),
        false => Ok(()),
    }
}

/// Receives a whole body. While it is waited for, its line may be closed for another's sake if there are too many.
///
/// # Errors
/// A body that is too large, too slow or broken.
pub async fn receive<B>(
    line: &Line,
    manners: &Manners,
    body: B,
    reception: Reception,
) -> Result<Bytes, Unreceived>
where
    B: Body<Data = Bytes> + Unpin,
{
    line.receive();
    let received = collect(manners, body, reception).await;
    line.received();
    received
}

async fn collect<B>(manners: &Manners, mut body: B, reception: Reception) -> Result<Bytes, Unreceived>
where
    B: Body<Data = Bytes> + Unpin,
{
    let Reception { most, announced } = reception;
    let pace = manners.pace();
    let began = Instant::now();
    let end = began + manners.body_timeout.as_duration();
    let (mut span, mut moved) = (began + pace.span, 0);
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let frame = match timeout_at(end.min(span), body.frame()).await {
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(|_| Unreceived::Broken)?,
            Err(_) if end <= span => return Err(Unreceived::Late(manners.body_timeout)),
            Err(_) if moved < pace.least => return Err(Unreceived::Slow),
            Err(_) => {
                (span, moved) = (span + pace.span, 0);
                continue;
            }
        };
        // What is not data is trailers, which nobody here has a use for.
        let Ok(data) = frame.into_data() else { continue };
        moved += data.len() as u64;
        let so_far = first.as_ref().map_or(rest.len(), Bytes::len);
        if so_far + data.len() > most {
            return Err(Unreceived::TooLarge);
        }
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(start) => {
                rest.reserve(announced.min(most).max(start.len() + data.len()));
                rest.extend_from_slice(&start);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}
