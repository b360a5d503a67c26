//! Stand-ins for five national systems, for demonstrations and tests.
//!
//! Each system has an address of its own on the loopback interface and speaks in its real shapes; an admin address
//! switches faults and shows samples. The page of this crate (`README.md`) describes every message. [`start`] runs
//! them inside another program, the binary of this crate runs them alone.
//!
//! The way of a request: `http` accepts it, its gate counts it and lets a fault in, the system's own layer looks at the
//! credential, the operation reads a form, asks the shared world of synthetic people and its own shelf, and the
//! system's envelope goes around what it says.

mod admin;
mod catalogue;
mod citizens;
mod civil_status;
pub mod credentials;
mod fault;
mod form;
mod http;
mod insurance;
mod journal;
mod land;
mod names;
mod payment;
mod postal;
mod random;
mod samples;
mod time;
mod units;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use truc_model::{Clock, SystemClock};

pub use crate::fault::{Board, Fault, FaultError, FaultKind, System};
pub use crate::journal::JournalError;
pub use crate::payment::authentication_code;
pub use crate::time::Progress;

use crate::civil_status::CivilStatus;
use crate::http::{Voice, guarded, serve};
use crate::insurance::Insurance;
use crate::journal::Journal;
use crate::land::Land;
use crate::payment::PaymentPlatform;
use crate::postal::Postal;
use crate::world::World;

/// How the simulators are run.
#[derive(Clone)]
pub struct Options {
    /// Port of the admin address; 0 lets the operating system choose.
    pub admin_port: u16,
    /// Port of the first system, the others follow; 0 lets the operating system choose each.
    pub base_port: u16,
    /// Where changes are kept between runs; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
    /// How long access tokens of the civil status system are good.
    pub token_lifetime: Duration,
    /// What makes dossiers, orders and payments move on.
    pub progress: Progress,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    /// Ports chosen by the operating system, nothing kept, tokens for 300 s, one step per query, the system's clock.
    fn default() -> Self {
        Self {
            admin_port: 0,
            base_port: 0,
            data_dir: None,
            token_lifetime: Duration::from_secs(300),
            progress: Progress::Query,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why the simulators do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port that is taken, most likely.
    #[error("cannot listen on 127.0.0.1:{port}: {error}")]
    Listen {
        /// The port.
        port: u16,
        /// What the operating system said.
        error: io::Error,
    },
    /// The five ports from the base port on do not all exist.
    #[error("base port {0} leaves no room for five systems; at most 65531")]
    BasePort(u16),
    /// What earlier runs left cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Where the systems are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// Samples, call counts, faults.
    pub admin: SocketAddr,
    /// Civil status.
    pub civil_status: SocketAddr,
    /// Land.
    pub land: SocketAddr,
    /// Insurance.
    pub insurance: SocketAddr,
    /// Postal service.
    pub postal: SocketAddr,
    /// Payment platform.
    pub payment: SocketAddr,
}

impl Addresses {
    /// The address of a system.
    pub fn of(&self, system: System) -> SocketAddr {
        match system {
            System::CivilStatus => self.civil_status,
            System::Land => self.land,
            System::Insurance => self.insurance,
            System::Postal => self.postal,
            System::Payment => self.payment,
        }
    }
}

/// Simulators that run. They stop when this is dropped, and in good order by [`Running::stop`].
pub struct Running {
    addresses: Addresses,
    board: Arc<Board>,
    world: Arc<World>,
    stop: CancellationToken,
    servers: JoinSet<()>,
}

impl Running {
    /// Where the systems are reached.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The switches for faults, and the call counts.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Citizens, parcels, records and so on, as `GET /samples` shows them.
    pub fn samples(&self) -> serde_json::Value {
        samples::samples(&self.world)
    }

    /// Takes no more connections, gives those that are open two seconds, and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.servers.join_next().await.is_some() {}
    }
}

/// Binds all ports, then serves.
///
/// # Errors
/// When a port is taken or what earlier runs left cannot be read; nothing is served then.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let base = options.base_port;
    if base > u16::MAX - 4 {
        return Err(StartError::BasePort(base));
    }
    let beside = |offset: u16| if base == 0 { 0 } else { base + offset };
    let (admin_listener, admin) = listen(options.admin_port).await?;
    let (civil_status_listener, civil_status) = listen(beside(0)).await?;
    let (land_listener, land) = listen(beside(1)).await?;
    let (insurance_listener, insurance) = listen(beside(2)).await?;
    let (postal_listener, postal) = listen(beside(3)).await?;
    let (payment_listener, payment) = listen(beside(4)).await?;
    let addresses = Addresses { admin, civil_status, land, insurance, postal, payment };

    let journal = match &options.data_dir {
        Some(directory) => Journal::open(directory)?,
        None => Journal::default(),
    };
    let world = Arc::new(World::new(options.clock, options.progress));
    let board = Arc::new(Board::default());
    let stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    let mut put_up = |listener, system: System, router: Router, voice: Arc<dyn Voice>| {
        let router = guarded(router, system, Arc::clone(&board), voice);
        servers.spawn(serve(listener, router, stop.clone()));
    };

    let system = Arc::new(CivilStatus::new(Arc::clone(&world), &journal, options.token_lifetime));
    put_up(civil_status_listener, System::CivilStatus, system.router(), system);
    let system = Arc::new(Land::new(Arc::clone(&world), &journal));
    put_up(land_listener, System::Land, system.router(), system);
    let system = Arc::new(Insurance::new(Arc::clone(&world)));
    put_up(insurance_listener, System::Insurance, system.router(), system);
    let system = Arc::new(Postal::new(Arc::clone(&world), &journal));
    put_up(postal_listener, System::Postal, system.router(), system);
    let system = Arc::new(PaymentPlatform::new(Arc::clone(&world), &journal, payment));
    put_up(payment_listener, System::Payment, system.router(), system);

    let router = admin::router(Arc::clone(&world), Arc::clone(&board));
    servers.spawn(serve(admin_listener, router, stop.clone()));
    Ok(Running { addresses, board, world, stop, servers })
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { port, error };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
