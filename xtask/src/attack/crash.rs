//! A host that is killed under load: what was acknowledged is in the ledger once, what was done is known or said to be
//! unknown, nothing that has a key is done twice, and the next host is ready at once.
//!
//! Agencies call without pause while the host is killed at a moment of chance. The national system behind it lives in
//! this process and counts what it was asked for; the next host's ledger and its answers to repeated requests are held
//! against that and against what the callers were told ([`books`]).

pub(super) mod books;
pub(super) mod callers;
pub(super) mod installation;
mod postgres;
pub(super) mod random;
pub(super) mod shelf;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::finding::Finding;
use super::{Setting, Size};
use crate::demo::in_runtime;
use crate::workspace::{output, progress};
use books::{Books, Fault};
use callers::Load;
use installation::{Database, Installation};
use postgres::Postgres;
use random::Random;
use shelf::Shelf;

/// How often the database is looked through by another program: at every so many-th kill.
const LOOKED_THROUGH: u64 = 10;

/// What one kind of database came to.
#[derive(Default)]
struct Tally {
    books: Books,
    kills: u64,
    /// Kills that left callers without an answer.
    under_way: u64,
    slowest: Duration,
    looked_through: u64,
    faults: Vec<String>,
}

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    in_runtime(async {
        let seed = Random::seed();
        progress(format_args!("seed {seed}"));
        let mut random = Random::new(seed);
        let folder = setting.folder.join("sqlite");
        let kills = setting.size.of(900, 90);
        let tally = killed(setting, &folder, Database::Sqlite, kills, &mut random).await?;
        let mut findings = tally.findings("SQLite", setting.size);

        let postgres = Postgres::start(&setting.folder.join("postgres.log")).await?;
        let folder = setting.folder.join("postgres");
        let database = Database::Postgres(&postgres.address);
        let kills = setting.size.of(100, 10);
        let tally = killed(setting, &folder, database, kills, &mut random).await?;
        findings.extend(tally.findings("PostgreSQL", setting.size));
        postgres.stop().await?;

        if setting.size == Size::Full {
            findings.push(large(setting).await?);
        }
        Ok(findings)
    })
}

/// How long a host may take from the start of its process to its first answer. A host that is not optimised, beside
/// whatever else a machine that tests does, is given more than is promised.
pub(super) fn ready_within(size: Size) -> Duration {
    size.of(Duration::from_secs(3), Duration::from_secs(10))
}

async fn killed(
    setting: &Setting<'_>,
    folder: &Path,
    database: Database<'_>,
    kills: u64,
    random: &mut Random,
) -> Result<Tally> {
    let shelf = Shelf::start(random.another()).await?;
    let mut installation = Installation::make(&setting.truc, folder, database)?;
    let mut host = installation.start().await?;
    installation.furnish(&host, setting.workspace, &shelf).await?;
    let mut tally = Tally { kills, ..Tally::default() };
    for kill in 1..=kills {
        let since = (jiff::Timestamp::now() - Duration::from_secs(1)).to_string();
        let load = Load::start(host.api, &installation.key, kill, random);
        load.answers(5).await?;
        sleep(Duration::from_millis(random.below(80))).await;
        host.kill().await?;
        let made = load.end().await;
        shelf.quiet().await?;
        tally.under_way += u64::from(made.iter().any(|(_, answer)| answer.is_none()));

        if !matches!(database, Database::Postgres(_)) && kill % LOOKED_THROUGH == 0 {
            tally.looked_through += 1;
            tally.faults.extend(installation.faults_of_database()?);
        }
        let (next, mut caller, took) = installation.come_back(&mut tally.books).await?;
        tally.slowest = tally.slowest.max(took);
        tally.books.settle(&next, &mut caller, made, &since, &shelf, random).await?;
        host = next;
        if kill % (kills / 10).max(1) == 0 {
            let acknowledged = tally.books.acknowledged();
            progress(format_args!("{kill} of {kills} kills, {acknowledged} exchanges acknowledged"));
        }
    }
    tally.books.close(&host).await?;
    host.stop().await?;
    Ok(tally)
}

impl Tally {
    fn findings(&self, database: &str, size: Size) -> Vec<Finding> {
        let Self { books, kills, .. } = self;
        let mut findings = vec![Finding::at_least(
            format!("{database}: kills in the middle of calls"),
            *kills,
            self.under_way,
            kills * 9 / 10,
        )];
        findings.extend(books.findings(database));
        findings.push(Finding::at_least(
            format!("{database}: effects known to have no known end, so that kills met them"),
            books.effects,
            books.unanswered.unknown,
            kills / 10,
        ));
        findings.push(Finding::at_most(
            format!("{database}: slowest from start to first answer, in ms"),
            *kills,
            self.slowest.as_millis(),
            ready_within(size).as_millis(),
        ));
        if self.looked_through > 0 {
            let promise = format!("{database}: faults that an integrity check finds");
            findings.push(Finding::at_most(promise, self.looked_through, self.faults.len(), 0));
        }
        findings
    }
}

impl Books {
    /// What callers, national system and ledger came to, held against each other.
    pub(super) fn findings(&self, database: &str) -> Vec<Finding> {
        let none = |promise: &str, attempts, kinds: &[Fault]| {
            Finding::at_most(format!("{database}: {promise}"), attempts, self.faults(kinds), 0)
        };
        let repetitions =
            self.repetitions.first_answer + self.repetitions.unknown + self.repetitions.carried_out;
        vec![
            none(
                "acknowledged exchanges that are not in the ledger exactly once",
                self.acknowledged(),
                &[Fault::Lost, Fault::Twice],
            ),
            none(
                "effects upstream that are neither recorded nor said to be unknown",
                self.effects,
                &[Fault::Unseen, Fault::Invented],
            ),
            none("requests that were carried out more than once", self.effects, &[Fault::Repeated]),
            none(
                "repetitions answered otherwise than the first time or as unknown",
                repetitions,
                &[Fault::Strange],
            ),
        ]
    }
}

/// How long a host takes that has a million exchanges and as many idempotency keys behind it.
async fn large(setting: &Setting<'_>) -> Result<Finding> {
    /// The rows are those that are there, many times over.
    const GROW: &str = "\
        import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1])\n\
        def copies(table, count, changed):\n\
        \tcolumns = [row[1] for row in database.execute(f'PRAGMA table_info({table})')]\n\
        \tvalues = ', '.join(changed.get(column, column) for column in columns)\n\
        \tdatabase.execute(f'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) '\n\
        \t\tf'INSERT INTO {table} SELECT {values} FROM n, (SELECT * FROM {table} LIMIT 1)')\n\
        copies('exchanges', 1000000, {'received_at': 'received_at - i', 'id': \"substr(id, 1, 24) || printf('%012x', i)\"})\n\
        copies('idempotency_keys', 1000000, {'key': \"printf('%064x', i)\", 'state': \"'done'\", 'answer': 'randomblob(256)'})\n\
        database.commit()\n";
    let shelf = Shelf::start(Random::new(1)).await?;
    let mut installation =
        Installation::make(&setting.truc, &setting.folder.join("large"), Database::Sqlite)?;
    let host = installation.start().await?;
    installation.furnish(&host, setting.workspace, &shelf).await?;
    let load = Load::start(host.api, &installation.key, 0, &mut Random::new(2));
    load.answers(50).await?;
    host.kill().await?;
    load.end().await;
    let database = installation.folder.join("data/truc.db");
    output(Command::new("python3").args(["-c", GROW]).arg(&database)).context("rows cannot be added")?;
    let (host, _, took) = installation.come_back(&mut Books::default()).await?;
    host.stop().await?;
    let promise = "SQLite: with 1,000,000 exchanges and keys, from start to first answer, in ms";
    Ok(Finding::at_most(promise, 1, took.as_millis(), ready_within(setting.size).as_millis()))
}
