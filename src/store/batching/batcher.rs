//! Turns concurrent calls into batches.
//!
//! A batch never waits to fill. If no batch holds a permit, a call starts one at once, and calls
//! made at the same moment join it. While a batch holds its permit, calls queue; when it releases
//! the permit, the next batch drains the queue. So batches grow with the load, up to the size at
//! which they keep up with it.
//!
//! A batch may take long: the database may be slow, or idle between the statements of the batch. So
//! a call starts another batch concurrently once [`BatchPolicy::patience`] has elapsed since the
//! last drain, or as soon as the queue holds a full batch. A call that is still queued after
//! [`LONG_WAIT`] times the patience tries once more.
//!
//! A batch runs to its end in its own task, even if its callers are dropped: that gives up the
//! answer, not the call. The queue is bounded to [`QUEUED_BATCHES_MAX`] full batches. Beyond that a
//! call fails at once with [`Error::Unavailable`], and has not been made.

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

/// How many full batches the queue holds. Callers of more would give up before they are answered.
const QUEUED_BATCHES_MAX: usize = 16;

/// How many times a batch yields before it drains the queue, so that calls already on their way
/// join it. Free on an idle runtime.
const YIELDS: usize = 2;

/// After how many times the patience a queued call tries to start a batch itself.
const LONG_WAIT: u32 = 32;

/// Makes calls in batches. Clones are handles on the same queue.
pub(crate) struct Batcher<C, A>(Arc<Shared<C, A>>);

/// The limits of the batches of a [`Batcher`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    /// The most calls in a batch.
    pub(crate) calls_max: usize,
    /// The most batches that run at once.
    pub(crate) batches_max: usize,
    /// How long after a drain only a full batch may start while another one holds its permit.
    pub(crate) patience: Duration,
}

type Run<C, A> = dyn Fn(Vec<C>, BatchPermit) -> BoxFuture<'static, Vec<A>> + Send + Sync;

struct Shared<C, A> {
    policy: BatchPolicy,
    run: Box<Run<C, A>>,
    queue: Mutex<Queue<C, A>>,
}

/// **Invariant:** while a call is queued, a batch is running. It drains the queue, or starts the
/// next batch when it ends.
struct Queue<C, A> {
    calls: VecDeque<Queued<C, A>>,
    /// Batches that have started and not ended.
    running: usize,
    /// Batches of `running` that hold their permit.
    permits: usize,
    /// Batches of `running` that have not drained the queue yet. There is a call for each.
    starting: usize,
    last_drain: Instant,
}

struct Queued<C, A> {
    call: C,
    answer: oneshot::Sender<A>,
    span: Span,
    meter: Meter,
}

/// While it is held, another batch starts only if this one takes long or the queue is full enough.
/// Released on drop. The default is a no-op for calls outside a queue.
#[derive(Default)]
pub(crate) struct BatchPermit(Option<Box<dyn FnOnce() + Send + Sync>>);

impl<C: Send + 'static, A: Send + 'static> Batcher<C, A> {
    /// `run` makes a batch of calls, in the order in which they were made, and returns the answers
    /// in the same order.
    pub(crate) fn new<F>(
        policy: BatchPolicy,
        run: impl Fn(Vec<C>, BatchPermit) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let queue = Queue {
            calls: VecDeque::new(),
            running: 0,
            permits: 0,
            starting: 0,
            last_drain: Instant::now(),
        };
        let (calls_max, batches_max) = (policy.calls_max.max(1), policy.batches_max.max(1));
        Self(Arc::new(Shared {
            policy: BatchPolicy { calls_max, batches_max, ..policy },
            run: Box::new(move |calls, permit| run(calls, permit).boxed()),
            queue: Mutex::new(queue),
        }))
    }

    /// Makes a call, alone or in a batch with others, and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue is full, or if the batch panicked.
    pub(crate) async fn call(&self, call: C) -> Result<A> {
        let policy = self.0.policy;
        let (answer, mut answered) = oneshot::channel();
        {
            let mut queue = self.0.queue();
            if queue.calls.len() >= policy.calls_max.saturating_mul(QUEUED_BATCHES_MAX) {
                return Err(Error::Unavailable("too many calls are queued".into()));
            }
            queue.calls.push_back(Queued {
                call,
                answer,
                span: Span::current(),
                meter: Meter::current(),
            });
        }
        self.0.start();
        let answer = match timeout(policy.patience.saturating_mul(LONG_WAIT), &mut answered).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                self.0.start();
                answered.await
            }
        };
        answer.map_err(|_| Error::Unavailable("a batch was aborted".into()))
    }
}

impl<C: Send + 'static, A: Send + 'static> Shared<C, A> {
    /// Starts the next batch, if one may start.
    fn start(self: &Arc<Self>) {
        // Without a runtime, no caller is left that waits for an answer.
        let Ok(runtime) = Handle::try_current() else { return };
        if self.queue().acquire_permit(self.policy) {
            let shared = Arc::clone(self);
            let release = move || {
                shared.queue().permits -= 1;
                shared.start();
            };
            let permit = BatchPermit(Some(Box::new(release)));
            runtime.spawn(Arc::clone(self).run(permit));
        }
    }

    /// Makes a batch and answers its callers. It is logged in the span of its first call.
    async fn run(self: Arc<Self>, permit: BatchPermit) {
        for _ in 0..YIELDS {
            yield_now().await;
        }
        let batch = self.queue().drain(self.policy);
        let first = batch.first().map(|first| (first.span.clone(), first.meter.clone()));
        let (span, meter) = first.unwrap_or_else(|| (Span::none(), Meter::default()));
        let (calls, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|queued| (queued.call, queued.answer)).unzip();

        // `run` is called inside the future, so that a panic in either is caught. The panic hook
        // reports it, and the callers see that their answers are dropped.
        let run = AssertUnwindSafe(meter.measure(async { (self.run)(calls, permit).await }));
        if let Ok(results) = run.catch_unwind().instrument(span).await {
            debug_assert_eq!(results.len(), answers.len(), "each call has one answer");
            for (answer, result) in answers.into_iter().zip(results) {
                // This fails if the caller was dropped, which is fine.
                drop(answer.send(result));
            }
        }
        self.queue().running -= 1;
        self.start();
    }

    fn queue(&self) -> MutexGuard<'_, Queue<C, A>> {
        // No code panics halfway through a change of the queue, so a poisoned lock is safe to use.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C, A> Queue<C, A> {
    /// Whether a batch may start. If so, it counts as running and holds a permit.
    fn acquire_permit(&mut self, policy: BatchPolicy) -> bool {
        // Batches that are starting will drain as many calls as fit, so those are spoken for.
        let spoken_for = self.starting.saturating_mul(policy.calls_max);
        let free = self.calls.len().saturating_sub(spoken_for);
        if free == 0 || self.running >= policy.batches_max {
            return false;
        }
        let now = Instant::now();
        let may_start = self.permits == 0
            || free >= policy.calls_max
            || now.duration_since(self.last_drain) >= policy.patience;
        if may_start {
            self.running += 1;
            self.permits += 1;
            self.starting += 1;
            self.last_drain = now;
        }
        may_start
    }

    /// Removes the calls of one batch: all of them, up to the limit.
    fn drain(&mut self, policy: BatchPolicy) -> Vec<Queued<C, A>> {
        self.starting -= 1;
        self.last_drain = Instant::now();
        let size = self.calls.len().min(policy.calls_max);
        self.calls.drain(..size).collect()
    }
}

impl Drop for BatchPermit {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
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
        f.debug_struct("Batcher").field("policy", &self.0.policy).finish_non_exhaustive()
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

    /// A batcher whose batches wait to be released, and answer each call with its double.
    struct Gate {
        batcher: Batcher<u32, u32>,
        releases: Arc<Semaphore>,
        started: mpsc::UnboundedReceiver<Vec<u32>>,
    }

    /// A batch with this call panics.
    const POISON: u32 = 1_000_000;
    /// A batch with this call releases its permit at once.
    const HASTY: u32 = 2_000_000;

    /// A policy with endless patience.
    fn policy(batches_max: usize, calls_max: usize) -> BatchPolicy {
        BatchPolicy { calls_max, batches_max, patience: Duration::MAX }
    }

    impl Gate {
        fn new(policy: BatchPolicy) -> Self {
            let releases = Arc::new(Semaphore::new(0));
            let (start, started) = mpsc::unbounded_channel();
            let gate = Arc::clone(&releases);
            let batcher = Batcher::new(policy, move |calls: Vec<u32>, permit| {
                start.send(calls.clone()).expect("the test listens");
                let gate = Arc::clone(&gate);
                async move {
                    let _permit = (!calls.contains(&HASTY)).then_some(permit);
                    gate.acquire().await.expect("it is never closed").forget();
                    assert!(!calls.contains(&POISON), "poison");
                    calls.into_iter().map(|call| call * 2).collect()
                }
            });
            Self { batcher, releases, started }
        }

        /// Makes a call, and runs it until it waits.
        async fn call(&self, call: u32) -> JoinHandle<Result<u32>> {
            let batcher = self.batcher.clone();
            let task = tokio::spawn(async move { batcher.call(call).await });
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

        fn release(&self, batches: usize) {
            self.releases.add_permits(batches);
        }

        /// The batches that have started since the last call of this method.
        fn started(&mut self) -> Vec<Vec<u32>> {
            std::iter::from_fn(|| self.started.try_recv().ok()).collect()
        }
    }

    /// Runs a caller until it waits, and then the batch that it starts.
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
    async fn a_call_to_an_idle_batcher_runs_at_once_and_alone() {
        let mut gate = Gate::new(policy(1, 10));
        for call in 1..=3 {
            let task = gate.call(call).await;
            assert_eq!(gate.started(), [[call]], "before any other call");
            gate.release(1);
            assert_eq!(answers(vec![task]).await, [Some(call * 2)]);
        }
    }

    #[tokio::test]
    async fn simultaneous_calls_are_in_the_same_batch() {
        let mut gate = Gate::new(policy(1, 10));
        let callers = [0, 1].map(|yields| {
            let batcher = gate.batcher.clone();
            tokio::spawn(async move {
                for _ in 0..yields {
                    yield_now().await;
                }
                batcher.call(1).await
            })
        });
        gate.release(2);
        assert_eq!(answers(callers.into()).await, [2, 2].map(Some));
        assert_eq!(gate.started(), [[1, 1]]);
    }

    #[tokio::test]
    async fn calls_during_a_batch_are_the_next_batch_in_order() {
        let mut gate = Gate::new(policy(1, 10));
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.started(), [[1]]);

        gate.release(2);

        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.started(), [[2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_batch_has_at_most_calls_max_calls() {
        let mut gate = Gate::new(policy(1, 2));
        let tasks = gate.calls(1..=6).await;
        gate.release(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10, 12].map(Some));
        assert_eq!(gate.started(), [vec![1], vec![2, 3], vec![4, 5], vec![6]]);
    }

    #[tokio::test]
    async fn a_call_during_a_slow_batch_starts_another_one() {
        let mut gate = Gate::new(BatchPolicy { patience: Duration::ZERO, ..policy(3, 10) });
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.started(), [[1], [2], [3]], "and no more than three at once");
        gate.release(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.started(), [[4, 5]]);
    }

    #[tokio::test]
    async fn a_batch_that_releases_its_permit_lets_the_next_start() {
        let mut gate = Gate::new(policy(3, 10));
        let tasks = gate.calls([HASTY, HASTY, 1, 2, HASTY]).await;
        assert_eq!(gate.started(), [vec![HASTY], vec![HASTY], vec![1]]);
        gate.release(1);
        settle().await;
        assert_eq!(gate.started(), [[0; 0]; 0], "the third holds its permit");
        gate.release(3);
        let doubles = [2 * HASTY, 2 * HASTY, 2, 4, 2 * HASTY];
        assert_eq!(answers(tasks).await, doubles.map(Some));
        assert_eq!(gate.started(), [[2, HASTY]]);
    }

    #[tokio::test]
    async fn a_queued_call_starts_a_batch_after_a_long_wait() {
        let mut gate =
            Gate::new(BatchPolicy { patience: Duration::from_millis(5), ..policy(2, 10) });
        let tasks = gate.calls([1, 2]).await;
        assert_eq!(gate.started.recv().await, Some(vec![1]));
        assert_eq!(gate.started.recv().await, Some(vec![2]), "while the first is running");
        gate.release(2);
        assert_eq!(answers(tasks).await, [2, 4].map(Some));
    }

    #[tokio::test]
    async fn simultaneous_calls_start_no_more_batches_than_they_fill() {
        let mut gate = Gate::new(policy(3, 3));
        gate.release(3);
        let calls = join_all((1..=8).map(|call| gate.batcher.call(call))).await;
        assert_eq!(calls.into_iter().filter_map(Result::ok).sum::<u32>(), 72);
        assert_eq!(gate.started(), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]]);
    }

    #[tokio::test]
    async fn a_full_batch_starts_beside_one_that_holds_its_permit() {
        let mut gate = Gate::new(policy(2, 3));
        let tasks = gate.calls(1..=8).await;
        assert_eq!(gate.started(), [vec![1], vec![2, 3, 4]]);
        gate.release(4);
        assert_eq!(answers(tasks).await, (1..=8).map(|n| Some(n * 2)).collect::<Vec<_>>());
        assert_eq!(gate.started(), [vec![5, 6, 7], vec![8]]);
    }

    #[tokio::test]
    async fn a_dropped_caller_gives_up_only_its_answer() {
        let mut gate = Gate::new(policy(1, 10));
        let mut tasks = gate.calls(1..=4).await;
        for dropped in [2, 0] {
            tasks.remove(dropped).abort();
        }
        gate.release(2);
        assert_eq!(answers(tasks).await, [Some(4), Some(8)]);
        assert_eq!(gate.started(), [vec![1], vec![2, 3, 4]], "the calls are still in the batch");
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_unavailable_and_frees_its_permit() {
        let mut gate = Gate::new(policy(1, 2));
        let tasks = gate.calls([1, 2, POISON, 3, 4]).await;
        gate.release(3);
        assert_eq!(answers(tasks).await, [Some(2), None, None, Some(6), Some(8)]);
        assert_eq!(gate.started(), [vec![1], vec![2, POISON], vec![3, 4]]);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_further_calls_are_unavailable() {
        let most = u32::try_from(QUEUED_BATCHES_MAX * 2).expect("it is small");
        let gate = Gate::new(policy(1, 2));
        let tasks = gate.calls(0..=most).await;

        let refused = gate.batcher.call(99).await;

        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        gate.release(QUEUED_BATCHES_MAX + 1);
        assert_eq!(answers(tasks).await, (0..=most).map(|n| Some(n * 2)).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn calls_of_many_threads_all_get_their_answer() {
        let batcher = Batcher::new(policy(2, 7), |calls: Vec<u32>, permit| async move {
            let is_even = calls.first().is_some_and(|call| call % 2 == 0);
            let _permit = is_even.then_some(permit);
            yield_now().await;
            calls
        });
        let callers = (0..8).map(|_| {
            let batcher = batcher.clone();
            tokio::spawn(async move {
                for call in 0..2_000 {
                    assert_eq!(batcher.call(call).await.expect("the queue has room"), call);
                }
            })
        });
        for caller in join_all(callers.collect::<Vec<_>>()).await {
            caller.expect("every answer is right");
        }
    }
}
