//! Gathers calls that come while earlier ones are under way, and makes them together.
//!
//! There is no timer. A call that finds a lane free goes at once, alone; while all lanes are busy
//! calls gather, and a lane that ends takes all that wait as its next batch. So nobody waits for
//! others to come, and batches grow with the load, to the size at which the lanes keep up.
//!
//! A batch runs to its end in a task of its own, whoever of its callers leaves meanwhile: leaving
//! gives up the answer, not the call. What waits is bounded: [`BATCHES_WAITING_MAX`] full batches.
//! A call beyond is refused at once as [`Error::Unavailable`], and has not happened.

use std::{
    collections::VecDeque,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use super::{Error, Result};

/// How many full batches may wait. More would only be answered after its caller's patience.
const BATCHES_WAITING_MAX: usize = 16;

/// Makes calls in batches. Clones are handles on the same lanes.
pub(super) struct Gather<C, A>(Arc<Shared<C, A>>);

type Run<C, A> = dyn Fn(Vec<C>) -> BoxFuture<'static, Vec<A>> + Send + Sync;

struct Shared<C, A> {
    lanes: usize,
    calls_max: usize,
    run: Box<Run<C, A>>,
    queue: Mutex<Queue<C, A>>,
}

/// **Invariant:** when anything waits, a lane is busy that will take it.
struct Queue<C, A> {
    waiting: VecDeque<Waiting<C, A>>,
    lanes_busy: usize,
}

struct Waiting<C, A> {
    call: C,
    answer: oneshot::Sender<A>,
    span: Span,
}

impl<C: Send + 'static, A: Send + 'static> Gather<C, A> {
    /// At most `lanes` batches at once, of at most `calls_max` calls each. `run` makes a batch: it
    /// is given the calls in the order in which they came, and answers each in its place.
    pub(super) fn new<F>(
        lanes: usize,
        calls_max: usize,
        run: impl Fn(Vec<C>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        Self(Arc::new(Shared {
            lanes: lanes.max(1),
            calls_max: calls_max.max(1),
            run: Box::new(move |calls| run(calls).boxed()),
            queue: Mutex::new(Queue { waiting: VecDeque::new(), lanes_busy: 0 }),
        }))
    }

    /// Makes a call, alone or with others, and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait already, and when the batch panicked.
    pub(super) async fn call(&self, call: C) -> Result<A> {
        let (answer, answered) = oneshot::channel();
        let starts_lane = {
            let mut queue = self.0.queue();
            if queue.waiting.len() >= self.0.calls_max.saturating_mul(BATCHES_WAITING_MAX) {
                return Err(Error::Unavailable("too many calls wait already".to_owned()));
            }
            queue.waiting.push_back(Waiting { call, answer, span: Span::current() });
            let is_free = queue.lanes_busy < self.0.lanes;
            queue.lanes_busy += usize::from(is_free);
            is_free
        };
        if starts_lane {
            tokio::spawn(Arc::clone(&self.0).work());
        }
        answered.await.map_err(|_| Error::Unavailable("a batch broke off".to_owned()))
    }
}

impl<C: Send + 'static, A: Send + 'static> Shared<C, A> {
    /// What a lane does, until nothing waits.
    async fn work(self: Arc<Self>) {
        while let Some(batch) = self.next_batch() {
            self.run(batch).await;
        }
    }

    /// All that waits, as far as it fits; when nothing does, the lane is free from then on.
    fn next_batch(&self) -> Option<Vec<Waiting<C, A>>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.lanes_busy -= 1;
            return None;
        }
        let size = queue.waiting.len().min(self.calls_max);
        Some(queue.waiting.drain(..size).collect())
    }

    /// Makes a batch and answers its callers. It is logged as part of what its first caller does.
    async fn run(&self, batch: Vec<Waiting<C, A>>) {
        let span = batch.first().map_or_else(Span::none, |first| first.span.clone());
        let (calls, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.call, waiting.answer)).unzip();

        // Called within the future, so that a panic of either is caught. It has been reported by
        // the panic hook, and its callers learn of it by the answers that are dropped.
        let run = AssertUnwindSafe(async { (self.run)(calls).await });
        let Ok(results) = run.catch_unwind().instrument(span).await else { return };

        debug_assert_eq!(results.len(), answers.len(), "each call has one answer");
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever has left needs none.
            drop(answer.send(result));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<C, A>> {
        // Nothing that happens under the lock can leave the queue in between.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C, A> Clone for Gather<C, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C, A> fmt::Debug for Gather<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("lanes", &self.0.lanes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::{
        sync::{Semaphore, mpsc},
        task::{JoinHandle, yield_now},
    };

    use super::*;

    /// A gatherer whose batches wait to be let through, and answer each call with its double.
    struct Gate {
        gather: Gather<u32, u32>,
        passes: Arc<Semaphore>,
        batches: mpsc::UnboundedReceiver<Vec<u32>>,
    }

    /// A batch with this call panics.
    const POISON: u32 = 1_000_000;

    impl Gate {
        fn new(lanes: usize, calls_max: usize) -> Self {
            let passes = Arc::new(Semaphore::new(0));
            let (begun, batches) = mpsc::unbounded_channel();
            let gate = Arc::clone(&passes);
            let gather = Gather::new(lanes, calls_max, move |calls: Vec<u32>| {
                begun.send(calls.clone()).expect("the test listens");
                let gate = Arc::clone(&gate);
                async move {
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
            // The caller runs, then the lane that it starts.
            yield_now().await;
            yield_now().await;
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

    async fn answers(tasks: Vec<JoinHandle<Result<u32>>>) -> Vec<Option<u32>> {
        let answers = join_all(tasks).await.into_iter();
        answers.map(|answer| answer.expect("no caller panics").ok()).collect()
    }

    #[tokio::test]
    async fn a_call_to_an_idle_gatherer_goes_at_once_and_alone() {
        let mut gate = Gate::new(1, 10);
        for call in 1..=3 {
            let task = gate.call(call).await;
            assert_eq!(gate.begun(), [[call]], "before any other call");
            gate.let_through(1);
            assert_eq!(answers(vec![task]).await, [Some(call * 2)]);
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_under_way_is_the_next_batch_in_order() {
        let mut gate = Gate::new(1, 10);
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.begun(), [[1]]);

        gate.let_through(2);

        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.begun(), [[2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_batch_is_no_larger_than_it_may_be() {
        let mut gate = Gate::new(1, 2);
        let tasks = gate.calls(1..=6).await;
        gate.let_through(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10, 12].map(Some));
        assert_eq!(gate.begun(), [vec![1], vec![2, 3], vec![4, 5], vec![6]]);
    }

    #[tokio::test]
    async fn as_many_batches_are_under_way_as_there_are_lanes() {
        let mut gate = Gate::new(3, 10);
        let tasks = gate.calls(1..=5).await;
        assert_eq!(gate.begun(), [[1], [2], [3]]);
        gate.let_through(4);
        assert_eq!(answers(tasks).await, [2, 4, 6, 8, 10].map(Some));
        assert_eq!(gate.begun(), [[4, 5]]);
    }

    #[tokio::test]
    async fn a_caller_who_leaves_gives_up_only_the_answer() {
        let mut gate = Gate::new(1, 10);
        let mut tasks = gate.calls(1..=4).await;
        for leaves in [2, 0] {
            tasks.remove(leaves).abort();
        }
        gate.let_through(2);
        assert_eq!(answers(tasks).await, [Some(4), Some(8)]);
        assert_eq!(gate.begun(), [vec![1], vec![2, 3, 4]], "nobody has left the batch");
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_unavailable_and_the_lane_goes_on() {
        let mut gate = Gate::new(1, 2);
        let tasks = gate.calls([1, 2, POISON, 3, 4]).await;
        gate.let_through(3);
        assert_eq!(answers(tasks).await, [Some(2), None, None, Some(6), Some(8)]);
        assert_eq!(gate.begun(), [vec![1], vec![2, POISON], vec![3, 4]]);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_more_is_unavailable() {
        let most = u32::try_from(BATCHES_WAITING_MAX * 2).expect("it is small");
        let gate = Gate::new(1, 2);
        let tasks = gate.calls(0..=most).await;

        let refused = gate.gather.call(99).await;

        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        gate.let_through(BATCHES_WAITING_MAX + 1);
        assert_eq!(answers(tasks).await, (0..=most).map(|n| Some(n * 2)).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_call_of_many_threads_is_forgotten() {
        let gather = Gather::new(2, 7, |calls: Vec<u32>| async move {
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
