//! What the measurements come to: medians, ratios to the native handler, and the aims they are held against.

use serde::Serialize;
use serde_json::{Value, json};

use super::codec::{self, Case};
use super::load::{Sample, Workload};
use super::start::StartUp;
use crate::table::Table;

/// Which server was measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// The native handler.
    Native,
    /// Trục with authentication and grants, and without a record of each exchange.
    WithoutLedger,
    /// Trục as it is: every exchange recorded durably before its answer.
    WithLedger,
}

impl Side {
    /// All, in the order in which they are asked.
    pub(crate) const ALL: [Side; 3] = [Side::Native, Side::WithoutLedger, Side::WithLedger];

    fn name(self) -> &'static str {
        match self {
            Side::Native => "native",
            Side::WithoutLedger => "Trục, no ledger",
            Side::WithLedger => "Trục",
        }
    }
}

/// The samples of one server under one load.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) connections: u32,
    pub(crate) side: Side,
    /// One for each round.
    pub(crate) samples: Vec<Sample>,
    /// Of each figure by itself.
    pub(crate) median: Sample,
}

impl Row {
    /// A row with its medians.
    pub(crate) fn new(workload: Workload, connections: u32, side: Side, samples: Vec<Sample>) -> Self {
        let median = Sample {
            cpu: median(samples.iter().map(|sample| sample.cpu)),
            rate: median(samples.iter().map(|sample| sample.rate)),
            p50: median(samples.iter().map(|sample| sample.p50)),
            p99: median(samples.iter().map(|sample| sample.p99)),
            memory: median(samples.iter().map(|sample| sample.memory)),
        };
        Self { workload, connections, side, samples, median }
    }
}

/// The middle of some numbers; 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied();
    let lower = values.get(values.len().saturating_sub(1) / 2).copied();
    lower.zip(upper).map_or(0.0, |(lower, upper)| f64::midpoint(lower, upper))
}

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) starts: Vec<StartUp>,
    pub(crate) codec: Vec<Case>,
    /// Connectors published to the measured hosts.
    pub(crate) connectors: usize,
}

/// A figure the product aims at, and what was reached.
pub(crate) struct Aim {
    pub(crate) what: String,
    pub(crate) aim: f64,
    pub(crate) reached: f64,
    pub(crate) unit: &'static str,
}

impl Report {
    fn median_of(&self, workload: Workload, connections: u32, side: Side) -> Option<Sample> {
        let is = |row: &&Row| (row.workload, row.connections, row.side) == (workload, connections, side);
        self.rows.iter().find(is).map(|row| row.median)
    }

    /// The table of medians with their ratios to the native handler.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new([
            "",
            "conns",
            "server",
            "CPU ms/1000",
            "x native",
            "req/s",
            "p50 ms",
            "p99 ms",
            "RSS MiB",
        ]);
        for row in &self.rows {
            let native = self.median_of(row.workload, row.connections, Side::Native);
            let ratio =
                native.map_or_else(String::new, |native| format!("{:.2}x", row.median.cpu / native.cpu));
            table.row([
                format!("{:?}", row.workload),
                row.connections.to_string(),
                row.side.name().to_owned(),
                format!("{:.1}", row.median.cpu),
                ratio,
                format!("{:.0}", row.median.rate),
                format!("{:.2}", row.median.p50 / 1000.0),
                format!("{:.2}", row.median.p99 / 1000.0),
                format!("{:.1}", row.median.memory),
            ]);
        }
        table.to_string()
    }

    /// Times from the start of the process to answers.
    pub(crate) fn start_table(&self) -> String {
        let mut table =
            Table::new(["connectors", "artifact cache", "first answer ms", "every service answered ms"]);
        for start in &self.starts {
            table.row([
                start.connectors.to_string(),
                if start.warm { "warm" } else { "cold" }.to_owned(),
                format!("{:.0}", start.first_answer),
                format!("{:.0}", start.all_answered),
            ]);
        }
        table.to_string()
    }

    fn aims(&self) -> Vec<Aim> {
        const AT: u32 = 64;
        let cpu = |workload, side| self.median_of(workload, AT, side).map(|median| median.cpu);
        let ratio = |workload, aim| {
            let reached = cpu(workload, Side::WithoutLedger)? / cpu(workload, Side::Native)?;
            Some(Aim {
                what: format!("{workload:?} without the ledger, CPU to native"),
                aim,
                reached,
                unit: "x",
            })
        };
        let ledger = |workload| {
            let added = cpu(workload, Side::WithLedger)? - cpu(workload, Side::WithoutLedger)?;
            let reached = added / cpu(Workload::W1, Side::Native)?;
            let what = format!("the ledger adds to {workload:?}, CPU to native W1");
            Some(Aim { what, aim: 1.0, reached, unit: "x" })
        };
        let memory = self.rows.iter().filter(|row| row.side == Side::WithLedger && row.connections == AT);
        let memory = memory.map(|row| row.median.memory).reduce(f64::max).map(|reached| Aim {
            what: format!("memory with {} connectors", self.connectors),
            aim: 60.0,
            reached,
            unit: " MiB",
        });
        let start = self.starts.iter().find(|start| start.warm && start.connectors == 50).map(|start| Aim {
            what: "50 connectors from a warm artifact cache answer".to_owned(),
            aim: 2000.0,
            reached: start.all_answered,
            unit: " ms",
        });
        [
            ratio(Workload::W1, 3.0),
            ratio(Workload::W2, 2.5),
            ledger(Workload::W1),
            ledger(Workload::W2),
            memory,
            start,
        ]
        .into_iter()
        .flatten()
        .chain(codec::aims(&self.codec))
        .collect()
    }

    /// What was aimed at, beside what was reached.
    pub(crate) fn aims_table(&self) -> String {
        let mut table = Table::new(["what (loads: over 64 connections)", "aim", "reached", ""]);
        for aim in self.aims() {
            table.row([
                aim.what,
                format!("<= {}{}", aim.aim, aim.unit),
                format!("{:.2}{}", aim.reached, aim.unit),
                if aim.reached <= aim.aim { "yes" } else { "NO" }.to_owned(),
            ]);
        }
        table.to_string()
    }

    /// Everything, for machines.
    pub(crate) fn json(&self, circumstances: Value) -> Value {
        let aims: Vec<Value> = self
            .aims()
            .into_iter()
            .map(|aim| json!({ "what": aim.what, "aim": aim.aim, "reached": aim.reached, "unit": aim.unit.trim() }))
            .collect();
        json!({
            "circumstances": circumstances,
            "rows": self.rows,
            "starts": self.starts,
            "codec": self.codec,
            "aims": aims,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu: f64) -> Sample {
        Sample { cpu, rate: 1.0, p50: 1.0, p99: 1.0, memory: 30.0 }
    }

    #[test]
    fn medians_are_taken_of_each_figure() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
        let row = Row::new(Workload::W1, 8, Side::Native, vec![sample(9.0), sample(7.0), sample(8.0)]);
        assert_eq!(row.median.cpu, 8.0);
    }

    #[test]
    fn ratios_and_aims_come_from_the_medians_at_64_connections() {
        let row = |workload, side, cpu| Row::new(workload, 64, side, vec![sample(cpu)]);
        let report = Report {
            rows: vec![
                row(Workload::W1, Side::Native, 8.0),
                row(Workload::W1, Side::WithoutLedger, 20.0),
                row(Workload::W1, Side::WithLedger, 32.0),
            ],
            starts: vec![StartUp { connectors: 50, warm: true, first_answer: 90.0, all_answered: 300.0 }],
            codec: Vec::new(),
            connectors: 6,
        };
        let reached: Vec<f64> = report.aims().iter().map(|aim| aim.reached).collect();
        assert_eq!(reached, [2.5, 1.5, 30.0, 300.0]);
        assert!(report.table().contains("2.50x"), "{}", report.table());
        assert!(report.aims_table().contains("<= 1x"), "{}", report.aims_table());
        assert!(report.aims_table().contains("NO"), "{}", report.aims_table());
    }
}
