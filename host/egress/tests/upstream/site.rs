//! A server for tests: it notes every connection and request as they came, and does what a test tells it to.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use truc_contract::{Allowed, Method, UpstreamRule};
use truc_egress::{
    BindError, Binding, CallError, Jitter, Limits, Request, Resolver, Resolving, Response, SecretRef,
    Secrets, Surroundings, Upstream,
};
use truc_model::{Bytes, Secret, ServiceName, SystemClock};

/// What a site does with a request.
pub(crate) enum Act {
    /// Writes these bytes and waits for the next request.
    Say(Vec<u8>),
    /// Writes these bytes and closes the connection.
    SayAndClose(Vec<u8>),
    /// Writes the first bytes, then the others again and again for as long as it can.
    SayForEver(Vec<u8>, Vec<u8>),
    /// Writes these bytes, then one of the others a second.
    Drip(Vec<u8>, Vec<u8>),
    /// Writes these bytes, then nothing, with the connection open.
    SayAndStall(Vec<u8>),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
    /// How many requests there were before it on the whole site.
    pub(crate) before: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap()
    }

    pub(crate) fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    /// All values of a field.
    pub(crate) fn field(&self, name: &str) -> Vec<&str> {
        let fields = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
    server_names: Mutex<Vec<Option<String>>>,
    /// How many connections are open now.
    open: watch::Sender<usize>,
    most_open: AtomicUsize,
}

type Handler = Arc<dyn Fn(&Received) -> Act + Send + Sync>;

impl Site {
    pub(crate) async fn start(handler: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), None, Arc::new(handler)).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        handler: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address, None, Arc::new(handler)).await
    }

    pub(crate) async fn start_tls(
        acceptor: tokio_rustls::TlsAcceptor,
        handler: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), Some(acceptor), Arc::new(handler)).await
    }

    async fn listen(
        address: SocketAddr,
        acceptor: Option<tokio_rustls::TlsAcceptor>,
        handler: Handler,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let site = Self { address, seen: seen.clone() };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = seen.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (seen, handler, acceptor) = (seen.clone(), handler.clone(), acceptor.clone());
                seen.open.send_modify(|open| *open += 1);
                seen.most_open.fetch_max(*seen.open.borrow(), Ordering::SeqCst);
                tokio::spawn(async move {
                    // However a connection ends, the test looks at what arrived.
                    let _ = match acceptor {
                        None => serve(stream, connection, &seen, &handler).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => {
                                let name = stream.get_ref().1.server_name().map(str::to_owned);
                                seen.server_names.lock().unwrap().push(name);
                                serve(stream, connection, &seen, &handler).await
                            }
                            Err(error) => Err(error),
                        },
                    };
                    seen.open.send_modify(|open| *open -= 1);
                });
            }
        });
        site
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub(crate) fn server_names(&self) -> Vec<Option<String>> {
        self.seen.server_names.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(crate) fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests[0].clone()
    }

    /// Waits until that many connections are open.
    pub(crate) async fn until_open(&self, connections: usize) {
        let mut open = self.seen.open.subscribe();
        let waited =
            tokio::time::timeout(Duration::from_secs(20), open.wait_for(|open| *open == connections));
        let now = *self.seen.open.borrow();
        waited.await.unwrap_or_else(|_| panic!("{now} connections are open, not {connections}")).unwrap();
    }

    /// A binding with nothing set but this address.
    pub(crate) fn binding(&self) -> Binding {
        Binding::to(format!("http://{}", self.address).parse().unwrap())
    }

    pub(crate) fn upstream(&self, allow: &[&str]) -> Arc<Upstream> {
        self.upstream_with(allow, |_| {})
    }

    pub(crate) fn upstream_with(&self, allow: &[&str], change: impl FnOnce(&mut Binding)) -> Arc<Upstream> {
        let mut binding = self.binding();
        change(&mut binding);
        bind(allow, &binding, NoNames).unwrap()
    }
}

/// The host's own name in tests that do not care.
pub(crate) const HANDLE: &str = "registry";

/// What the secret of any name holds in tests.
pub(crate) const SECRET: &str = "c4nary-s3cret";

/// Binds with a resolver and a secret named `key`.
pub(crate) fn bind(
    allow: &[&str],
    binding: &Binding,
    resolver: impl Resolver,
) -> Result<Arc<Upstream>, BindError> {
    bind_with_secret(allow, binding, resolver, SECRET)
}

pub(crate) fn bind_with_secret(
    allow: &[&str],
    binding: &Binding,
    resolver: impl Resolver,
    secret: &str,
) -> Result<Arc<Upstream>, BindError> {
    bind_in(allow, binding, Arc::new(resolver), secret, |_| {})
}

/// Binds what had another revision before.
pub(crate) fn bind_after(allow: &[&str], binding: &Binding, before: &Upstream) -> Arc<Upstream> {
    let service = "service".parse().unwrap();
    let surroundings = Surroundings { before: Some(before), ..alone(&service) };
    let (handle, secrets) = (HANDLE.parse().unwrap(), secrets(SECRET));
    Upstream::bind(&handle, &rule(allow), binding, &secrets, Arc::new(NoNames), &surroundings).unwrap()
}

/// Binds one of several upstreams of a service that may have so many calls at once.
pub(crate) fn bind_among(
    allow: &[&str],
    binding: &Binding,
    concurrency: u32,
    upstreams: usize,
) -> Arc<Upstream> {
    let change = |surroundings: &mut Surroundings<'_>| {
        (surroundings.concurrency, surroundings.upstreams) = (concurrency, upstreams);
    };
    bind_in(allow, binding, Arc::new(NoNames), SECRET, change).unwrap()
}

fn bind_in(
    allow: &[&str],
    binding: &Binding,
    resolver: Arc<dyn Resolver>,
    secret: &str,
    change: impl FnOnce(&mut Surroundings<'_>),
) -> Result<Arc<Upstream>, BindError> {
    let service = "service".parse().unwrap();
    let mut surroundings = alone(&service);
    change(&mut surroundings);
    let handle = HANDLE.parse().unwrap();
    Upstream::bind(&handle, &rule(allow), binding, &secrets(secret), resolver, &surroundings)
}

/// One secret.
fn secrets(secret: &str) -> Secrets {
    let name: SecretRef = "key".parse().unwrap();
    Secrets::of([(name, Secret::new(secret.to_owned()))])
}

/// The surroundings of an upstream that has its service for itself.
fn alone(service: &ServiceName) -> Surroundings<'_> {
    Surroundings {
        service,
        concurrency: 64,
        upstreams: 1,
        jitter: Arc::new(Steady),
        clock: Arc::new(SystemClock),
        before: None,
    }
}

/// No randomness: every wait is as long as it may be.
pub(crate) struct Steady;

impl Jitter for Steady {
    fn up_to(&self, most: Duration) -> Duration {
        most
    }
}

fn rule(allow: &[&str]) -> UpstreamRule {
    let allow = allow.iter().map(|entry| {
        let (method, path) = entry.split_once(' ').unwrap();
        Allowed { method: method.parse().unwrap(), path: path.parse().unwrap() }
    });
    UpstreamRule { description: "for tests".to_owned(), allow: allow.collect() }
}

/// A resolver for bindings by IP address, which must not be asked.
pub(crate) struct NoNames;

impl Resolver for NoNames {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        panic!("{host:?} was looked up")
    }
}

/// A resolver that answers from a table, each name with one answer after the other and then the last one for ever.
#[derive(Default, Clone)]
pub(crate) struct Names {
    answers: Arc<Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    pub(crate) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(host) {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers[0].clone()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// A request without anything; tests add what they are about.
pub(crate) fn request(entry: &str) -> Request {
    let (method, path) = entry.split_once(' ').unwrap();
    Request {
        method: method.parse::<Method>().unwrap(),
        path: path.to_owned(),
        parameters: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
    }
}

pub(crate) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Limits that no test meets by accident.
pub(crate) fn roomy() -> Limits {
    Limits { max_body: Bytes(1 << 20), deadline: Instant::now() + Duration::from_secs(3600) }
}

pub(crate) async fn call(upstream: &Upstream, request: Request) -> Result<Response, CallError> {
    call_within(upstream, request, roomy()).await
}

pub(crate) async fn call_within(
    upstream: &Upstream,
    request: Request,
    limits: Limits,
) -> Result<Response, CallError> {
    upstream.visit()?.call(request, limits).await
}

/// A plain answer.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    answer(200, &[], body)
}

pub(crate) fn answer(status: u16, fields: &[&str], body: &str) -> Vec<u8> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n{fields}\r\n{body}", body.len()).into_bytes()
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    seen: &Seen,
    handler: &Handler,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some((head, body)) = receive(&mut stream, &mut buffer).await? else { return Ok(()) };
        let received = {
            let mut requests = seen.requests.lock().unwrap();
            let received = Received { connection, before: requests.len(), head, body };
            requests.push(received.clone());
            received
        };
        match handler(&received) {
            Act::Say(bytes) => stream.write_all(&bytes).await?,
            Act::SayAndClose(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Act::SayForEver(bytes, more) => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&more).await?;
                }
            }
            Act::Drip(bytes, drops) => {
                stream.write_all(&bytes).await?;
                let mut second = tokio::time::interval(Duration::from_secs(1));
                for byte in drops {
                    second.tick().await;
                    stream.write_all(&[byte]).await?;
                }
            }
            Act::SayAndStall(bytes) => {
                stream.write_all(&bytes).await?;
                // Until the other side gives up.
                while stream.read(&mut [0; 64]).await? > 0 {}
                return Ok(());
            }
        }
    }
}

/// One request. Framing is read as strictly as it can be: a request that could be read in two ways ends the test.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(String, Vec<u8>)>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).take(end).collect()).unwrap();
    let mut length = None;
    for line in head.split("\r\n").skip(1) {
        assert!(!line.contains(['\r', '\n']) && !line.starts_with([' ', '\t']), "{head:?}");
        let (name, value) = line.split_once(':').unwrap();
        assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "{head:?}");
        if name.eq_ignore_ascii_case("content-length") {
            assert_eq!(length.replace(value.trim().parse::<usize>().unwrap()), None, "{head:?}");
        }
    }
    let length = length.unwrap_or(0);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, buffer.drain(..length).collect())))
}
