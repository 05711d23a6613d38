//! A job: one run over one repository. Workers share a stack of directories; what they find goes to the writer; at the
//! end the run settles: moves are paired, removals pass the guard, and the run vouches for what it saw.
//!
//! Every kind of run is this same job over another set of directories.

mod arrivals;
mod company;
mod comparison;
mod confined;
mod content;
mod directory;
mod glance;
mod hinted;
mod linked;
mod mounts;
mod open_run;
mod opened;
mod outcome;
mod pace;
mod prepare;
mod reading;
mod serve;
mod settle;
mod shared;
mod sink;
mod stack;
mod targets;
mod unlisted;
mod worker;

pub use outcome::{Finished, run};
pub use serve::{HintBatch, Inbox, Served};
pub use shared::{JobContext, JobSpec, Manners, Report};
