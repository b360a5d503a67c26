//! A reader of HTTP/1.1 requests that takes nothing but what this host should send: one framing, one host, a path that
//! no other program could read differently. Whatever else comes is told as a fault.

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each of its readers looks at its part")]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The most bytes of a head.
const MOST_HEAD: usize = 32 * 1024;

/// Reads one request from the front of what has come so far. None if it is not whole yet. Nothing may follow it, as
/// nobody sends a second request before the first is answered.
pub(crate) fn read(bytes: &[u8], host: &str) -> Result<Option<Message>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > MOST_HEAD { Err("a head without end".to_owned()) } else { Ok(None) };
    };
    let (head, rest) = bytes.split_at(end);
    let rest = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| format!("a head that is no text: {head:?}"))?;
    let fault = |what: &str| format!("{what}: {head:?}");
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(fault("not a request line"));
    };
    if !matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE") {
        return Err(fault("another method"));
    }
    check_target(target).map_err(&fault)?;
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| fault("a line that is no field"))?;
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(fault("a field without a proper name"));
        }
        let value = value.strip_prefix(' ').unwrap_or(value);
        if !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            return Err(fault("a value of more than printable ASCII"));
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    let all = |name: &str| -> Vec<&str> {
        fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    };
    if all("host") != [host] {
        return Err(fault("another host"));
    }
    for name in ["transfer-encoding", "trailer", "te", "upgrade", "connection", "expect", "proxy-connection"]
    {
        if !all(name).is_empty() {
            return Err(fault("a field of framing that is not called for"));
        }
    }
    let length = match all("content-length")[..] {
        [] => 0,
        [digits] if digits.parse::<usize>().is_ok_and(|length| length.to_string() == digits) => {
            digits.parse().unwrap_or_default()
        }
        _ => return Err(fault("more than one length, or none that is a number")),
    };
    if matches!(method, "GET" | "HEAD") && !all("content-length").is_empty() {
        return Err(fault("a length where there is no body"));
    }
    if rest.len() > length {
        return Err(fault("bytes after the request"));
    }
    let whole = rest.len() == length;
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok(whole.then(|| Message { method, target, fields, body: rest.to_vec() }))
}

/// A path of plain segments and a query of names and values; nothing in it stands for something else.
fn check_target(target: &str) -> Result<(), &'static str> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Some(path) = path.strip_prefix('/') else { return Err("a target that is no path") };
    let plain = |text: &str| {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let escape = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
            let fine = match byte {
                b'%' => escape(bytes.next()) && escape(bytes.next()),
                _ => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
            };
            if !fine {
                return false;
            }
        }
        true
    };
    let decoded_badly = |segment: &str| {
        let lower = segment.to_ascii_lowercase();
        ["%2f", "%5c", "%00", "%0d", "%0a"].iter().any(|escape| lower.contains(escape))
    };
    for segment in path.split('/') {
        if !plain(segment) || matches!(segment, "." | "..") || decoded_badly(segment) {
            return Err("a segment that is not plain");
        }
        if segment.is_empty() && !path.is_empty() {
            return Err("an empty segment");
        }
    }
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    for pair in pairs {
        match pair.split_once('=') {
            Some((name, value)) if plain(name) && plain(value) => {}
            _ => return Err("a query that is not plain"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_read_whole_and_what_could_be_two_is_not() {
        let head = "POST /items?q=%20 HTTP/1.1\r\nhost: a:1\r\ncontent-length: 4\r\n\r\n";
        let message = read(format!("{head}body").as_bytes(), "a:1").unwrap().unwrap();
        assert_eq!((message.target.as_str(), message.body.as_slice()), ("/items?q=%20", &b"body"[..]));
        assert_eq!(read(format!("{head}bod").as_bytes(), "a:1"), Ok(None));
        assert_eq!(read(b"GET / HTTP/1.1\r\n", "a:1"), Ok(None));
        for wrong in [
            format!("{head}bodyX"),
            head.replace("a:1", "b:1"),
            head.replace("/items", "http://a:1/items"),
            head.replace("/items", "/a/../items"),
            head.replace("/items", "/a%2Fb"),
            head.replace("/items", "//items"),
            head.replace("content-length: 4", "content-length: 4\r\ncontent-length: 4"),
            head.replace("content-length: 4", "content-length: +4"),
            head.replace("content-length: 4", "content-length: 4\r\ntransfer-encoding: chunked"),
            head.replace("content-length: 4", "content-length : 4"),
            head.replace("content-length: 4", "x: a\r\n b"),
            head.replace("content-length: 4", "x: a\nb"),
            head.replace("POST", "GET"),
            head.replace("HTTP/1.1", "HTTP/1.0"),
        ] {
            assert!(read(wrong.as_bytes(), "a:1").is_err(), "{wrong:?}");
        }
    }
}
