//! Spike.
#![allow(clippy::all, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
use truc_ledger::*;
use truc_model::*;
use truc_store::testing::*;

fn cpu() -> f64 {
    let mut total = 0u64;
    for t in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = t.unwrap().path().join("schedstat");
        if let Ok(s) = std::fs::read_to_string(p) { total += s.split(' ').next().unwrap().parse::<u64>().unwrap(); }
    }
    total as f64 / 1000.0
}
fn ex(number: u32) -> Exchange {
    let at = Timestamp::from_micros(1_751_333_400_000_000 + i64::from(number));
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    Exchange { id: RequestId::new(at, &random), received_at: at, agency: Some(AG.with(|a| a.clone())), account: Some(AC.with(|a| a.clone())), service: Some(SV.with(|a| a.clone())), revision: Some(3), operation: Some(OP.with(|a| a.clone())), purpose: Some("land-registration".into()), dossier: Some("H56.14-250701-0001".into()), status: 200, problem: None, duration: 1234, request_bytes: 0, response_bytes: 812, upstream_calls: 1 }
}
thread_local! {
    static AG: AgencyCode = "H56.14".parse().unwrap();
    static AC: AccountName = "one-stop".parse().unwrap();
    static SV: ServiceName = "civil-status".parse().unwrap();
    static OP: std::sync::Arc<str> = "registration/get-birth".into();
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if which != "" && which != "pause" && kind == Kind::Postgres { continue; }
        let db = TestDatabase::new(kind).await.unwrap();
        let store = db.open().await.unwrap();
        let mut n = 0;
        for batch in if which == "led" { vec![] } else if which == "one" { vec![1usize] } else { vec![1usize, 8, 64, 256] } {
            let mut best = f64::MAX; let mut all = vec![];
            for _ in 0..7 {
                let total = if which == "one" { 20000 } else if batch == 1 { 1000 } else { batch * 100 };
                let entries: Vec<Entry> = (0..total).map(|_| { n += 1; Entry::Outcome(ex(n)) }).collect();
                let start = cpu();
                for chunk in entries.chunks(batch) { store.exchanges().append(chunk).await.unwrap(); }
                let used = (cpu() - start) / total as f64;
                best = best.min(used); all.push(used);
            }
            all.sort_by(f64::total_cmp);
            println!("{kind:?} append batch {batch:3}: best {best:.2} median {:.2} us CPU/entry", all[3]);
        }
        if which == "one" { return; }
let ledger = Ledger::start(store.clone(), Settings::default());
        for callers in if which == "led" { vec![64u32; 6] } else { vec![1u32, 8, 64, 256] } {
            let mut best = f64::MAX; let mut all = vec![]; let mut rates = vec![];
            for _ in 0..7 {
                let each = if callers == 1 { 1000 } else { 20000 / callers };
                let start = cpu();
                let wall = std::time::Instant::now();
                let tasks: Vec<_> = (0..callers).map(|_| { n += each; let from = n; let ledger = ledger.clone(); tokio::spawn(async move { for i in 0..each { ledger.record(ex(from + i)).await.unwrap(); } }) }).collect();
                for t in tasks { t.await.unwrap(); }
                let total = (each * callers) as f64;
                let used = (cpu() - start) / total;
                best = best.min(used); all.push(used); rates.push(total / wall.elapsed().as_secs_f64());
            }
            all.sort_by(f64::total_cmp); rates.sort_by(f64::total_cmp);
            println!("{kind:?} ledger callers {callers:3}: best {best:.2} median {:.2} us CPU/exchange, {:.0}/s", all[3], rates[3]);
        }
        ledger.close().await;
        let t = std::time::Instant::now();
        let p = store.exchanges().list(&Filter { status: Some(555), ..Filter::default() }).await.unwrap();
        println!("{kind:?} scan of {n} rows for nothing: {:?} {}", t.elapsed(), p.entries.len());
        let t = std::time::Instant::now();
        let p = store.exchanges().list(&Filter { limit: Some(100), ..Filter::default() }).await.unwrap();
        println!("{kind:?} newest 100: {:?} {}", t.elapsed(), p.entries.len());
        if which == "pause" && kind == Kind::Postgres { println!("{}", db.address); std::thread::sleep(std::time::Duration::from_secs(100)); }
        store.close().await;
    }
}
