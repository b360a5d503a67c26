//! What all systems share: the units, the people, the land, the clock, and the pace at which things move on.

use std::sync::Arc;

use jiff::civil::Date;
use truc_model::{Clock, Timestamp};

use crate::citizens::Population;
use crate::land::register::LandRegister;
use crate::time::{self, Progress};
use crate::units::{Units, Ward};

pub(crate) struct World {
    pub(crate) units: Units,
    pub(crate) population: Population,
    pub(crate) land: LandRegister,
    pub(crate) progress: Progress,
    clock: Arc<dyn Clock>,
}

impl World {
    pub(crate) fn new(clock: Arc<dyn Clock>, progress: Progress) -> Self {
        let units = Units::read();
        let population = Population::generate(&units);
        let land = LandRegister::draw_up(&population);
        Self { units, population, land, progress, clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The date in Việt Nam.
    pub(crate) fn today(&self) -> Date {
        time::today(self.now())
    }

    /// The ward in which the things that are there from the start take place.
    pub(crate) fn home(&self) -> Ward {
        self.units.ward(HOME).unwrap_or_default()
    }
}

/// Phường Nha Trang, Tỉnh Khánh Hòa.
const HOME: i64 = 22_366;
