//! Gathers calls that come while earlier ones are under way, and makes them together.
//!
//! Nothing waits for a batch to fill. A call that finds none under way goes at once, with those who
//! call at the same moment. While a batch has its turn, calls gather; when the turn ends, all that
//! wait are the next batch. So batches grow with the load, to the size at which they keep up.
//!
//! A batch may take long, since the database is far away or something is in its way, and one alone
//! may leave the database idle between its statements. So whoever comes when [`BatchPolicy::patience`] has
//! passed since the last batch took its calls, begins the next beside it, and so does whoever makes
//! that one full. A call that came earlier does the same after waiting for [`PATIENCES`] times that.
//!
//! A batch runs to its end in a task of its own, whoever of its callers leaves meanwhile: leaving
//! gives up the answer, not the call. What waits is bounded: [`BATCHES_WAITING_MAX`] full batches.
//! A call beyond is refused at once as [`Error::Unavailable`], and has not happened.

use std::{
    collections::VecDeque,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{runtime::Handle, sync::oneshot, task::yield_now, time::timeout};
use tracing::{Instrument, Span};

use crate::store::{Error, Result, statement::Meter};

/// How many full batches may wait. More would only be answered after its caller's patience.
const BATCHES_WAITING_MAX: usize = 16;

/// How often a batch lets others run, as far as the runtime does, before it takes its calls: whoever
/// is about to call is in it then. That takes time only while there is something else to do.
const YIELDS: usize = 2;

/// How many times its patience a call waits for others to begin its batch. Seldom so long.
const PATIENCES: u32 = 32;

/// Makes calls in batches. Clones are handles on the same ones.
pub(crate) struct Batcher<C, A>(Arc<Shared<C, A>>);

/// How calls become batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    /// The most calls of a batch.
    pub(crate) calls_max: usize,
    /// The most batches that are under way at once.
    pub(crate) batches_max: usize,
    /// For how long after a batch has taken its calls nobody begins another beside it.
    pub(crate) patience: Duration,
}

type Run<C, A> = dyn Fn(Vec<C>, BatchPermit) -> BoxFuture<'static, Vec<A>> + Send + Sync;

struct Shared<C, A> {
    pace: BatchPolicy,
    run: Box<Run<C, A>>,
    queue: Mutex<Queue<C, A>>,
}

/// **Invariant:** when anything waits, a batch is under way: it takes what waits, or begins the next at
/// its end.
struct Queue<C, A> {
    waiting: VecDeque<Waiting<C, A>>,
    under_way: usize,
    /// How many of those have their turn.
    turns: usize,
    /// How many of those have not taken their calls yet. There is at least one for each.
    beginning: usize,
    last_began: Instant,
}

struct Waiting<C, A> {
    call: C,
    answer: oneshot::Sender<A>,
    span: Span,
    meter: Meter,
}

/// The turn of a batch. It ends when this is dropped, with the batch at the latest: then the next
/// may begin. The default one is that of a batch of its own, for which nobody waits.
#[derive(Default)]
pub(crate) struct BatchPermit(Option<Box<dyn Ended>>);

trait Ended: Send + Sync {
    fn ended(&self);
}

impl<C: Send + 'static, A: Send + 'static> Batcher<C, A> {
    /// `run` makes a batch: it is given the calls in the order in which they came, and answers each
    /// in its place.
    pub(crate) fn new<F>(
        pace: BatchPolicy,
        run: impl Fn(Vec<C>, BatchPermit) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let queue = Queue {
            waiting: VecDeque::new(),
            under_way: 0,
            turns: 0,
            beginning: 0,
            last_began: Instant::now(),
        };
        let (calls_max, batches_max) = (pace.calls_max.max(1), pace.batches_max.max(1));
        Self(Arc::new(Shared {
            pace: BatchPolicy { calls_max, batches_max, ..pace },
            run: Box::new(move |calls, turn| run(calls, turn).boxed()),
            queue: Mutex::new(queue),
        }))
    }

    /// Makes a call, alone or with others, and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait already, and when the batch panicked.
    pub(crate) async fn call(&self, call: C) -> Result<A> {
        let (answer, mut answered) = oneshot::channel();
        {
            let mut queue = self.0.queue();
            if queue.waiting.len() >= self.0.pace.calls_max.saturating_mul(BATCHES_WAITING_MAX) {
                return Err(Error::Unavailable("too many calls wait already".into()));
            }
            queue.waiting.push_back(Waiting {
                call,
                answer,
                span: Span::current(),
                meter: Meter::current(),
            });
        }
        self.0.begin();
        let patience = self.0.pace.patience.saturating_mul(PATIENCES);
        let answer = match timeout(patience, &mut answered).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                self.0.begin();
                answered.await
            }
        };
        answer.map_err(|_| Error::Unavailable("a batch broke off".into()))
    }
}

impl<C: Send + 'static, A: Send + 'static> Shared<C, A> {
    /// Begins the next batch, if one may begin.
    fn begin(self: &Arc<Self>) {
        // Where there is no runtime any more, all callers have left.
        let Ok(runtime) = Handle::try_current() else { return };
        if self.queue().takes_turn(self.pace) {
            let turn = BatchPermit(Some(Box::new(Arc::clone(self))));
            runtime.spawn(Arc::clone(self).run(turn));
        }
    }

    /// Makes a batch and answers its callers. It is logged as part of what its first caller does.
    async fn run(self: Arc<Self>, turn: BatchPermit) {
        for _ in 0..YIELDS {
            yield_now().await;
        }
        let batch = self.queue().next_batch(self.pace);
        let first = batch.first().map(|first| (first.span.clone(), first.meter.clone()));
        let (span, meter) = first.unwrap_or_else(|| (Span::none(), Meter::default()));
        let (calls, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.call, waiting.answer)).unzip();

        // Called within the future, so that a panic of either is caught. It has been reported by the
        // panic hook, and its callers learn of it by the answers that are dropped.
        let run = AssertUnwindSafe(meter.measure(async { (self.run)(calls, turn).await }));
        if let Ok(results) = run.catch_unwind().instrument(span).await {
            debug_assert_eq!(results.len(), answers.len(), "each call has one answer");
            for (answer, result) in answers.into_iter().zip(results) {
                // Whoever has left needs none.
                drop(answer.send(result));
            }
        }
        self.queue().under_way -= 1;
        self.begin();
    }

    fn queue(&self) -> MutexGuard<'_, Queue<C, A>> {
        // Nothing that happens under the lock can leave the queue in between.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C, A> Queue<C, A> {
    /// Whether a batch may begin. Then it is under way, and has its turn.
    fn takes_turn(&mut self, pace: BatchPolicy) -> bool {
        let taken = self.beginning.saturating_mul(pace.calls_max);
        let waiting = self.waiting.len().saturating_sub(taken);
        if waiting == 0 || self.under_way >= pace.batches_max {
            return false;
        }
        let now = Instant::now();
        let may_begin = self.turns == 0
            || waiting >= pace.calls_max
            || now.duration_since(self.last_began) >= pace.patience;
        if may_begin {
            self.under_way += 1;
            self.turns += 1;
            self.beginning += 1;
            self.last_began = now;
        }
        may_begin
    }

    /// All that waits, as far as it fits.
    fn next_batch(&mut self, pace: BatchPolicy) -> Vec<Waiting<C, A>> {
        self.beginning -= 1;
        self.last_began = Instant::now();
        let size = self.waiting.len().min(pace.calls_max);
        self.waiting.drain(..size).collect()
    }
}

impl<C: Send + 'static, A: Send + 'static> Ended for Arc<Shared<C, A>> {
    fn ended(&self) {
        self.queue().turns -= 1;
        self.begin();
    }
}

impl Drop for BatchPermit {
    fn drop(&mut self) {
        if let Some(ended) = self.0.take() {
            ended.ended();
        }
    }
}

impl fmt::Debug for BatchPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchPermit").finish_non_exhaustive()
    }
}

impl<C, A> Clone for Batcher<C, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C, A> fmt::Debug for Batcher<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("pace", &self.0.pace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::{
        sync::{Semaphore, mpsc},
        task::JoinHandle,
    };

    use super::*;

    /// A gatherer whose batches wait to be let through, and answer each call with its double.
    struct Gate {
        gather: Batcher<u32, u32>,
        passes: Arc<Semaphore>,
        batches: mpsc::UnboundedReceiver<Vec<u32>>,
    }

    /// A batch with this call panics.
    const POISON: u32 = 1_000_000;
    /// A batch with this call ends its turn at once.
    const HASTY: u32 = 2_000_000;

    /// A batch never takes long.
    fn pace(batches_max: usize, calls_max: usize) -> BatchPolicy {
        BatchPolicy { calls_max, batches_max, patience: Duration::MAX }
    }

    impl Gate {
        fn new(pace: BatchPolicy) -> Self {
            let passes = Arc::new(Semaphore::new(0));
            let (begun, batches) = mpsc::unbounded_channel();
            let gate = Arc::clone(&passes);
            let gather = Batcher::new(pace, move |calls: Vec<u32>, turn| {
                begun.send(calls.clone()).expect("the test listens");
                let gate = Arc::clone(&gate);
                async move {
                    let _turn = (!calls.contains(&HASTY)).then_some(turn);
                    gate.acquire().await.expect("it is never closed").forget();
                    assert!(!calls.contains(&POISON), "poison");
                    calls.into_iter().map(|call| call * 2).collect()
                }
            });
            Self { gather, passes, batches }
        }

        /// Makes a call, and lets it come as far as it can.
        async fn call(&self, call: u32) -> JoinHandle<Result<u32>> {
            let gather = self.gather.clone();
            let task = tokio::spawn(async move { gather.call(call).await });
            settle().await;
            task
        }

        async fn calls(
            &self,
            calls: impl IntoIterator<Item = u32>,
        ) -> Vec<JoinHandle<Result<u32>>> {
            let mut tasks = Vec::new();
            for call in calls {
                tasks.push(self.call(call).await);
            }
            tasks
        }

        fn let_through(&self, batches: usize) {
            self.passes.add_permits(batches);
        }

        /// The batches that have begun since the last question.
        fn begun(&mut self) -> Vec<Vec<u32>> {
            std::iter::from_fn(|| self.batches.try_recv().ok()).collect()
        }
    }

    /// Lets a caller run, and then the batch that it begins, which lets others run first.
    async fn settle() {
        for _ in 0..2 + YIELDS {
            yield_now().await;
        }
    }

    async fn answers(tasks: Vec<JoinHandle<Result<u32>>>) -> Vec<Option<u32>> {
        let answers = join_all(tasks).await.into_iter();
        answers.map(|answer| answer.expect("no caller panics").ok()).collect()
    }

    #[tokio::test]
    async fn a_call_to_an_idle_gatherer_goes_at_once_and_alone() {
        let mut gate = Gate::new(pace(1, 10));
        for call in 1..=3 {
            let task = gate.call(call).await;
            assert_eq!(gate.begun(), [[call]], "before any other call");
            gate.let_through(1);
            assert_eq!(answers(vec![task]).await, [Some(call * 2)]);
        }
    }

    #[tokio::test]
    async fn whoever_calls_at_the_same_moment_is_in_the_same_batch() {
        let mut gate = Gate::new(pace(1, 10));
        let callers = [0, 1].map(|yields| {
            let gather = gate.gather.clone();
            tokio::spawn(async move {
                for _ in 0..yields {
                    yield_now().await;
                }
                gather.call(1).await
            })
        });
        gate.let_through(2);
        assert_eq!(answers(callers.into()).await, [2, 2].map(Some));
        assert_eq!(gate.begun(), [[1, 1]]);
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_under_way_is_the_next_batch_in_order() {
        let mut gate = Gate::new(pace(1, 10));
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.begun(), [[1]]);

        gate.let_through(2);

        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.begun(), [[2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_batch_is_no_larger_than_it_may_be() {
        let mut gate = Gate::new(pace(1, 2));
        let tasks = gate.calls(1..=6).await;
        gate.let_through(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10, 12].map(Some));
        assert_eq!(gate.begun(), [vec![1], vec![2, 3], vec![4, 5], vec![6]]);
    }

    #[tokio::test]
    async fn whoever_comes_when_a_batch_takes_long_begins_the_next_beside_it() {
        let mut gate = Gate::new(BatchPolicy { patience: Duration::ZERO, ..pace(3, 10) });
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.begun(), [[1], [2], [3]], "and no more than three at once");
        gate.let_through(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.begun(), [[4, 5]]);
    }

    #[tokio::test]
    async fn a_batch_that_ends_its_turn_lets_the_next_begin() {
        let mut gate = Gate::new(pace(3, 10));
        let tasks = gate.calls([HASTY, HASTY, 1, 2, HASTY]).await;
        assert_eq!(gate.begun(), [vec![HASTY], vec![HASTY], vec![1]]);
        gate.let_through(1);
        settle().await;
        assert_eq!(gate.begun(), [[0; 0]; 0], "the turn is that of the third");
        gate.let_through(3);
        let doubles = [2 * HASTY, 2 * HASTY, 2, 4, 2 * HASTY];
        assert_eq!(answers(tasks).await, doubles.map(Some));
        assert_eq!(gate.begun(), [[2, HASTY]]);
    }

    #[tokio::test]
    async fn whoever_waits_for_long_begins_the_next_batch_when_nobody_comes() {
        let mut gate = Gate::new(BatchPolicy { patience: Duration::from_millis(5), ..pace(2, 10) });
        let tasks = gate.calls([1, 2]).await;
        assert_eq!(gate.batches.recv().await, Some(vec![1]));
        assert_eq!(gate.batches.recv().await, Some(vec![2]), "while the first is under way");
        gate.let_through(2);
        assert_eq!(answers(tasks).await, [2, 4].map(Some));
    }

    #[tokio::test]
    async fn calls_that_come_at_one_moment_begin_no_more_batches_than_they_fill() {
        let mut gate = Gate::new(pace(3, 3));
        gate.let_through(3);
        let calls = join_all((1..=8).map(|call| gate.gather.call(call))).await;
        assert_eq!(calls.into_iter().filter_map(Result::ok).sum::<u32>(), 72);
        assert_eq!(gate.begun(), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]]);
    }

    #[tokio::test]
    async fn whoever_makes_a_batch_full_begins_it_beside_the_one_that_has_its_turn() {
        let mut gate = Gate::new(pace(2, 3));
        let tasks = gate.calls(1..=8).await;
        assert_eq!(gate.begun(), [vec![1], vec![2, 3, 4]]);
        gate.let_through(4);
        assert_eq!(answers(tasks).await, (1..=8).map(|n| Some(n * 2)).collect::<Vec<_>>());
        assert_eq!(gate.begun(), [vec![5, 6, 7], vec![8]]);
    }

    #[tokio::test]
    async fn a_caller_who_leaves_gives_up_only_the_answer() {
        let mut gate = Gate::new(pace(1, 10));
        let mut tasks = gate.calls(1..=4).await;
        for leaves in [2, 0] {
            tasks.remove(leaves).abort();
        }
        gate.let_through(2);
        assert_eq!(answers(tasks).await, [Some(4), Some(8)]);
        assert_eq!(gate.begun(), [vec![1], vec![2, 3, 4]], "nobody has left the batch");
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_unavailable_and_ends_its_turn() {
        let mut gate = Gate::new(pace(1, 2));
        let tasks = gate.calls([1, 2, POISON, 3, 4]).await;
        gate.let_through(3);
        assert_eq!(answers(tasks).await, [Some(2), None, None, Some(6), Some(8)]);
        assert_eq!(gate.begun(), [vec![1], vec![2, POISON], vec![3, 4]]);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_more_is_unavailable() {
        let most = u32::try_from(BATCHES_WAITING_MAX * 2).expect("it is small");
        let gate = Gate::new(pace(1, 2));
        let tasks = gate.calls(0..=most).await;

        let refused = gate.gather.call(99).await;

        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        gate.let_through(BATCHES_WAITING_MAX + 1);
        assert_eq!(answers(tasks).await, (0..=most).map(|n| Some(n * 2)).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_call_of_many_threads_is_forgotten() {
        let gather = Batcher::new(pace(2, 7), |calls: Vec<u32>, turn| async move {
            let is_even = calls.first().is_some_and(|call| call % 2 == 0);
            let _turn = is_even.then_some(turn);
            yield_now().await;
            calls
        });
        let callers = (0..8).map(|_| {
            let gather = gather.clone();
            tokio::spawn(async move {
                for call in 0..2_000 {
                    assert_eq!(gather.call(call).await.expect("there is room"), call);
                }
            })
        });
        for caller in join_all(callers.collect::<Vec<_>>()).await {
            caller.expect("no answer is wrong");
        }
    }
}
