//! What threads tell the engine's loop.

use tokio::sync::mpsc;

use super::protocol::{Answer, Refusal};
use super::state::{Input, ReplyId, Tracked};
use crate::config::Config;
use crate::domain::report::Run;

/// One message.
#[derive(Debug)]
pub(super) enum News {
    Input(Box<Input>),
    /// A run's start is written.
    Started {
        run_id: String,
        run: Box<Run>,
    },
    Refused {
        reply: ReplyId,
        refusal: Refusal,
    },
    /// A command has changed what holds.
    Changed {
        /// As the file says, if it was read anew.
        config: Option<Box<Config>>,
        /// With what was set at run time.
        effective: Box<Config>,
        tracked: Vec<Tracked>,
        reply: ReplyId,
        answer: Answer,
    },
}

/// Sends news from threads that may block. When the engine has ended, so has everything: nobody misses it.
#[derive(Clone, Debug)]
pub(super) struct NewsSender(pub mpsc::Sender<News>);

impl NewsSender {
    pub fn send(&self, news: News) {
        let _unheard = self.0.blocking_send(news);
    }

    pub fn input(&self, input: Input) {
        self.send(News::Input(Box::new(input)));
    }
}
