//! A server whose handler writes down what reaches it, and a client that sends bytes as they are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use truc_listen::{Arrival, Drained, Line, Manners, Plane, Reception, receive, serve};
use truc_model::{Code, Problem};

/// Bytes of a body that the handler takes.
pub(crate) const MOST: usize = 64 << 10;

/// What reached the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A sound request: method, path and query, and its body or why there is none.
    Request(String, Result<String, u16>),
    /// A faulty one, with what is wrong.
    Fault(String),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    /// Lets requests for `/held` go on, one for each permit.
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) served: JoinHandle<Drained>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, gate, seen) = (CancellationToken::new(), Arc::new(Semaphore::new(0)), Arc::default());
        let handler = Handler { manners, gate: gate.clone(), seen: Arc::clone(&seen) };
        let handler = move |arrival, line| handler.clone().answer(arrival, line);
        let served = tokio::spawn(serve(listener, manners, Plane::Api, handler, stop.clone(), || ()));
        Self { address, stop, gate, served, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many requests have reached the handler.
    pub(crate) async fn reached(&self, count: usize) {
        bounded(async {
            while self.seen().len() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        bounded(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Sends a request and waits for its answer on a connection that stays open.
    pub(crate) async fn ask(&self, stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        answers(stream, 1).await
    }
}

#[derive(Clone)]
struct Handler {
    manners: Manners,
    gate: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Handler {
    async fn answer(self, arrival: Arrival, line: Arc<Line>) -> Response<Full<Bytes>> {
        let (seen, status, size) = match arrival {
            Arrival::Sound(request) => {
                let what = format!("{} {}", request.method(), request.uri());
                match request.uri().path() {
                    "/known" => line.trust(),
                    "/held" => {
                        self.write(Seen::Request(what.clone(), Ok("held".to_owned())));
                        self.gate.acquire().await.unwrap().forget();
                    }
                    _ => {}
                }
                let size = match request.uri().path() {
                    "/large" => 32 << 20,
                    _ => 2,
                };
                let reception = Reception { most: MOST, announced: 0 };
                let body = receive(&line, &self.manners, request.into_body(), reception).await;
                let body =
                    body.map_err(|error| error.problem(|| Problem::new(Code::BodyTooLarge, "")).status);
                let status = body.as_ref().map_or_else(|status| *status, |_| 200);
                let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
                (Seen::Request(what, body), status, size)
            }
            Arrival::Faulty(_, fault) => (Seen::Fault(fault.to_string()), 400, 2),
        };
        self.write(seen);
        let mut response = Response::new(Full::new(Bytes::from(vec![b'.'; size])));
        *response.status_mut() = status.try_into().unwrap();
        response
    }

    fn write(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }
}

/// Reads until so many answers have begun to come and the last one's body of two bytes is there, or the connection ends.
pub(crate) async fn answers(stream: &mut TcpStream, count: usize) -> String {
    let mut answer = Vec::new();
    let read = async {
        let whole = |answer: &[u8]| {
            let text = String::from_utf8_lossy(answer).into_owned();
            text.matches("HTTP/1.1 ").count() >= count && text.ends_with("\r\n\r\n..")
        };
        while !whole(&answer) && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    bounded(read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads to the end of a connection, however it ends.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let _ = bounded(stream.read_to_end(&mut rest)).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// Waits, at most as long as any test may.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("within the bound of a test")
}
