//! The strict reader: follows the bytes of a connection before hyper gets them, and knows where each request begins and
//! ends.
//!
//! It takes what clients and proxies send and nothing of what the standards let a lenient server make of it: lines end
//! with CR LF, there is one framing of a body, chunks have no extensions. At the first fault it stops: after a faulty
//! head nothing more is handed over, so that leftovers are never a second request; within a faulty body the connection
//! fails. What is not strict and hyper refuses itself is left to hyper.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault::Fault;
use crate::line::Line;

/// Bytes of a head that every connection may keep waiting.
const ORDINARY_HEAD: usize = 16 << 10;
/// Connections that may keep a longer head waiting, all together.
const LARGE_HEADS: usize = 256;
/// Bytes of a line that says how long a chunk is: sixteen digits, CR LF.
const MAX_CHUNK_LINE: usize = 18;
/// Bytes of all trailers.
const MAX_TRAILERS: usize = 8 << 10;

/// The places of long heads, which all connections of a server share.
#[derive(Debug, Default)]
pub(crate) struct LargeHeads(AtomicUsize);

/// A place among the long heads.
struct LargeHead(Arc<LargeHeads>);

impl LargeHeads {
    fn place(self: &Arc<Self>) -> Option<LargeHead> {
        let free = |taken: usize| (taken < LARGE_HEADS).then_some(taken + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, free)
            .is_ok()
            .then(|| LargeHead(self.clone()))
    }
}

impl Drop for LargeHead {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How far the bytes of a connection were followed.
pub(crate) struct Framing {
    part: Part,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    head: Head,
    large: Option<LargeHead>,
    large_heads: Arc<LargeHeads>,
    /// Bytes of trailers so far.
    trailers: usize,
    end: Option<End>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The request line, or an empty line before it.
    RequestLine,
    Field,
    /// So many bytes of a body of known length.
    Body(u64),
    ChunkLine,
    Chunk(u64),
    /// CR LF after a chunk.
    ChunkEnd,
    Trailer,
}

/// Why nothing more is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The head that was handed over last has a fault.
    FaultyHead,
    /// The body has a fault where its bytes end.
    FaultyBody,
    /// Too many connections keep long heads waiting.
    Crowded,
}

/// What is known of a head.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    /// Whether it says HTTP/1.1, in which `Host` is due and chunks are possible.
    is_1_1: bool,
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
    fault: Option<Fault>,
}

impl Framing {
    pub(crate) fn new(large_heads: Arc<LargeHeads>) -> Self {
        Self {
            part: Part::RequestLine,
            line: Vec::new(),
            head: Head::default(),
            large: None,
            large_heads,
            trailers: 0,
            end: None,
        }
    }

    /// Why nothing more is handed over, if that is so.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// Follows the next bytes; gives how many of them may be handed over.
    pub(crate) fn follow(&mut self, bytes: &[u8], line: &Line) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && self.end.is_none() {
            let taken = match self.part {
                Part::Body(left) => self.skip(rest, left, Part::RequestLine, Part::Body),
                Part::Chunk(left) => self.skip(rest, left, Part::ChunkEnd, Part::Chunk),
                _ => self.take_line(rest, line),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        bytes.len() - rest.len()
    }

    fn skip(&mut self, bytes: &[u8], left: u64, then: Part, more: impl Fn(u64) -> Part) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.part = if left == 0 { then } else { more(left) };
        taken
    }

    /// Takes bytes up to the end of a line, and judges the line when it is whole.
    fn take_line(&mut self, bytes: &[u8], line: &Line) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if !self.has_room(piece.len()) {
            return 0;
        }
        if end.is_none() {
            self.line.extend_from_slice(piece);
        } else if self.line.is_empty() {
            self.judge(piece, line);
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(piece);
            self.judge(&whole, line);
        }
        match self.end {
            // What is wrong with a body is not handed over.
            Some(End::FaultyBody) => 0,
            _ => piece.len(),
        }
    }

    /// Counts so many bytes more of what the line belongs to. If that is too much, this is the end.
    fn has_room(&mut self, more: usize) -> bool {
        match self.part {
            Part::RequestLine | Part::Field => {
                self.head.bytes += more;
                if self.head.bytes > ORDINARY_HEAD && self.large.is_none() {
                    self.large = self.large_heads.place();
                    if self.large.is_none() {
                        self.end = Some(End::Crowded);
                    }
                }
            }
            Part::Trailer => {
                self.trailers += more;
                if self.trailers > MAX_TRAILERS {
                    self.end = Some(End::FaultyBody);
                }
            }
            _ if self.line.len() + more > MAX_CHUNK_LINE => self.end = Some(End::FaultyBody),
            _ => {}
        }
        self.end.is_none()
    }

    /// A whole line, with its end.
    fn judge(&mut self, whole: &[u8], line: &Line) {
        let text = whole.strip_suffix(b"\r\n").filter(|text| !text.contains(&b'\r'));
        match self.part {
            Part::RequestLine | Part::Field => {
                let lenient = || whole.strip_suffix(b"\n").unwrap_or(whole);
                let text = text.unwrap_or_else(|| {
                    self.head.fault.get_or_insert(Fault::LineEnd);
                    // hyper goes on reading here, so the end of the head is looked for where it finds it.
                    let text = lenient();
                    text.strip_suffix(b"\r").unwrap_or(text)
                });
                self.judge_head(text, line);
            }
            Part::ChunkLine => match text.and_then(chunk_size) {
                Some(0) => (self.part, self.trailers) = (Part::Trailer, 0),
                Some(size) => self.part = Part::Chunk(size),
                None => self.end = Some(End::FaultyBody),
            },
            Part::ChunkEnd if text == Some(b"") => self.part = Part::ChunkLine,
            Part::Trailer => match text {
                Some(b"") => self.part = Part::RequestLine,
                Some(text) if field(text).is_some() => {}
                _ => self.end = Some(End::FaultyBody),
            },
            Part::ChunkEnd | Part::Body(_) | Part::Chunk(_) => self.end = Some(End::FaultyBody),
        }
    }

    fn judge_head(&mut self, text: &[u8], line: &Line) {
        match (self.part, text) {
            // An empty line before a request is what old clients send after a body.
            (Part::RequestLine, b"") => {}
            (Part::RequestLine, text) => {
                self.head.request_line(text);
                self.part = Part::Field;
            }
            (_, b"") => {
                let head = std::mem::take(&mut self.head);
                self.large = None;
                let framed = head.framing();
                line.head(framed.err());
                match framed {
                    Ok(part) => self.part = part,
                    Err(_) => self.end = Some(End::FaultyHead),
                }
            }
            (_, text) => self.head.field(text),
        }
    }
}

impl Head {
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn request_line(&mut self, text: &[u8]) {
        let mut parts = text.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return self.fail(Fault::RequestLine);
        };
        self.is_1_1 = version == b"HTTP/1.1";
        if method.is_empty() || !method.iter().all(is_token) || !(self.is_1_1 || version == b"HTTP/1.0") {
            return self.fail(Fault::RequestLine);
        }
        let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if !target.starts_with(b"/") || !target.iter().all(visible) {
            self.fail(Fault::Target);
        }
    }

    fn field(&mut self, text: &[u8]) {
        let Some((name, value)) = field(text) else { return self.fail(Fault::Field) };
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 || !value.iter().all(is_of_host) {
                self.fail(Fault::Host);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            match (number(value, 10), self.length) {
                (Some(length), None) => self.length = Some(length),
                _ => self.fail(Fault::Length),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") || !self.is_1_1 {
                self.fail(Fault::Coding);
            }
            self.chunked = true;
        }
    }

    /// What follows the head.
    fn framing(&self) -> Result<Part, Fault> {
        match (self.fault, self.length, self.chunked) {
            (Some(fault), ..) => Err(fault),
            _ if self.hosts == 0 && self.is_1_1 => Err(Fault::Host),
            (None, Some(_), true) => Err(Fault::TwoFramings),
            (None, None, true) => Ok(Part::ChunkLine),
            (None, Some(0) | None, false) => Ok(Part::RequestLine),
            (None, Some(length), false) => Ok(Part::Body(length)),
        }
    }
}

/// Name and value of a field, without the space around the value.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (name, value) = (text.get(..colon)?, text.get(colon + 1..)?);
    let sound = !name.is_empty() && name.iter().all(is_token) && !value.contains(&0);
    sound.then(|| (name, trim(value)))
}

/// Without the space and the tabs around it, which are all that may stand there (RFC 9110, section 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn chunk_size(text: &[u8]) -> Option<u64> {
    number(text, 16)
}

/// A number of nothing but digits.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(|byte| char::from(*byte).is_digit(radix));
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    u64::from_str_radix(text, radix).ok()
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn is_of_host(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"/\\@?#,\"<>".contains(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

    /// What is handed over of some bytes that come in pieces, and how it ends.
    fn followed(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<End>) {
        let (mut framing, line) = (Framing::new(Arc::default()), Line::alone());
        let mut given = Vec::new();
        for piece in bytes.chunks(piece) {
            let taken = framing.follow(piece, &line);
            given.extend_from_slice(&piece[..taken]);
        }
        (given, framing.end())
    }

    #[test]
    fn sound_requests_pass_one_after_the_other() {
        let requests = [
            GET,
            "\r\nPOST /a HTTP/1.1\r\nhost: a:1\r\nContent-Length: 4 \r\n\r\n\n\r\n\0",
            "PUT /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding:\tChunked\r\n\r\na\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
            "GET /a HTTP/1.0\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            GET,
        ]
        .concat();
        for piece in [1, 2, 3, 7, 1000] {
            let (given, end) = followed(requests.as_bytes(), piece);
            assert_eq!((given.len(), end), (requests.len(), None), "in pieces of {piece}");
        }
    }

    #[test]
    fn nothing_is_handed_over_beyond_a_fault() {
        for (faulty, end) in [
            ("GET /a HTTP/1.1\nHost: a\n\n", End::FaultyHead),
            ("GET /a HTTP/1.1\r\n\r\n", End::FaultyHead),
            (
                "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                End::FaultyHead,
            ),
            ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", End::FaultyHead),
            ("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", End::FaultyBody),
        ] {
            let tail = match end {
                End::FaultyBody => "1;a=b\r\nx\r\n0\r\n\r\n",
                _ => "",
            };
            let bytes = [faulty, tail, GET].concat();
            for piece in [1, 5, 1000] {
                let (given, ended) = followed(bytes.as_bytes(), piece);
                assert_eq!(ended, Some(end), "{faulty:?}");
                // Of a line that comes in pieces, its beginning.
                let most = if end == End::FaultyBody { faulty.len() + 6 } else { faulty.len() };
                assert!(
                    (faulty.len()..=most).contains(&given.len()),
                    "{faulty:?} in {piece}: {}",
                    given.len()
                );
            }
        }
    }

    #[test]
    fn long_heads_are_few() {
        let (heads, line) = (Arc::new(LargeHeads::default()), Line::alone());
        let long = format!("GET /a HTTP/1.1\r\nHost: a\r\nx: {}", "x".repeat(ORDINARY_HEAD));
        let mut waiting: Vec<Framing> = (0..LARGE_HEADS).map(|_| Framing::new(heads.clone())).collect();
        for framing in &mut waiting {
            assert_eq!(framing.follow(long.as_bytes(), &line), long.len());
        }
        let mut one_more = Framing::new(heads.clone());
        assert_eq!(one_more.follow(GET.as_bytes(), &line), GET.len());
        assert!(one_more.follow(long.as_bytes(), &line) < long.len());
        assert_eq!(one_more.end(), Some(End::Crowded));
        waiting.pop();
        assert_eq!(Framing::new(heads).follow(long.as_bytes(), &line), long.len());
    }

    proptest! {
        #[test]
        fn what_is_handed_over_does_not_depend_on_the_pieces(
            parts in proptest::collection::vec(
                "(GET /a HTTP/1.1|Host: a|Content-Length: 3|Transfer-Encoding: chunked|\r\n|\n|\r|0|3|abc|;| |:|\r\n\r\n){1,3}",
                1..8,
            ),
            piece in 1_usize..9,
        ) {
            let bytes = parts.concat();
            let (whole, whole_end) = followed(bytes.as_bytes(), bytes.len());
            let (pieces, pieces_end) = followed(bytes.as_bytes(), piece);
            prop_assert_eq!(whole_end, pieces_end);
            prop_assert!(pieces.starts_with(&whole) || whole.starts_with(&pieces));
        }
    }
}
