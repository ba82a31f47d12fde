//! Making the data that a run needs, through the server's own write path.

use futures_util::{StreamExt, TryStreamExt, stream};
use tonic::Status;

use super::{
    Error,
    client::Client,
    options::Target,
    population::{Person, Place, Population},
    problem,
};
use crate::progress::Progress;

/// The largest page there is.
const PAGE: u32 = 200;

/// Data of a stated size.
pub(super) struct Fill {
    threads: u32,
    messages: u32,
    callers: usize,
    /// Whether the threads are to be known afterwards.
    places: bool,
}

/// What there was to do.
pub(super) struct Filled {
    pub(super) messages: usize,
    /// The threads; empty where they were not asked for.
    pub(super) places: Vec<Place>,
}

impl Fill {
    pub(super) fn new(target: &Target, messages: u32, places: bool) -> Self {
        Self {
            threads: target.threads.unwrap_or(target.users).get(),
            messages,
            callers: target.callers.get() as usize,
            places,
        }
    }

    /// Makes what is missing.
    pub(super) async fn run(
        &self,
        clients: &[Client],
        population: &Population,
        progress: &Progress,
    ) -> Result<Filled, Error> {
        let people: Vec<Person> = population.people().collect();

        progress.begin("looking at what is there", people.len());
        let sizes = self
            .each(
                clients,
                progress,
                people.clone(),
                async |mut client, person| client.inbox_size(person).await,
            )
            .await?;
        let missing: Vec<(Person, Person)> = people
            .iter()
            .zip(sizes)
            .flat_map(|(person, size)| {
                let wanted = self.threads_of(*person, population);
                let sender = |number| population.sender_to(*person, u64::from(number));
                (size..wanted).map(move |number| (sender(number), *person))
            })
            .collect();

        progress.begin("starting threads", missing.len());
        let started = missing.len();
        self.each(
            clients,
            progress,
            missing,
            async |mut client, (from, to)| client.send(from, to).await.map(drop),
        )
        .await?;
        let mut filled = Filled {
            messages: started,
            places: Vec::new(),
        };
        if !self.places && self.messages == 1 {
            return Ok(filled);
        }

        progress.begin("looking for the threads", people.len());
        let found = self
            .each(clients, progress, people, async |mut client, person| {
                let wanted = self.threads_of(person, population);
                threads(&mut client, person, wanted).await
            })
            .await?;
        filled.places = found.into_iter().flatten().collect();
        filled.messages += self.reply(clients, progress, &mut filled.places).await?;
        Ok(filled)
    }

    /// Fills up threads that are too short, all of them evenly.
    async fn reply(
        &self,
        clients: &[Client],
        progress: &Progress,
        places: &mut [Place],
    ) -> Result<usize, Error> {
        let mut missing = Vec::new();
        for number in 1..self.messages {
            for place in places.iter() {
                if place.messages <= number {
                    // The two take turns, as people do.
                    let mine = number % 2 == 1;
                    missing.push((if mine { place.owner } else { place.other }, place));
                }
            }
        }
        progress.begin("replying", missing.len());
        let replied = missing.len();
        self.each(
            clients,
            progress,
            missing,
            async |mut client, (from, place)| client.reply(from, place).await,
        )
        .await?;
        for place in places {
            place.messages = place.messages.max(self.messages);
        }
        Ok(replied)
    }

    /// How many of the threads lie in one user's inbox.
    fn threads_of(&self, person: Person, population: &Population) -> u32 {
        let each = self.threads / population.users;
        let rest = u32::from(person.user < self.threads % population.users);
        each + rest
    }

    /// Does this for each item, as many at a time as there are callers.
    async fn each<T, R>(
        &self,
        clients: &[Client],
        progress: &Progress,
        items: Vec<T>,
        call: impl AsyncFn(Client, T) -> Result<R, Status>,
    ) -> Result<Vec<R>, Error> {
        let clients = clients.iter().cycle().cloned();
        let calls = stream::iter(clients.zip(items)).map(async |(client, item)| {
            let result = call(client, item).await;
            progress.advance(1);
            result
        });
        calls
            .buffered(self.callers)
            .try_collect()
            .await
            .map_err(|status| Error::Fill(problem(&status)))
    }
}

/// The first threads of somebody's inbox.
async fn threads(client: &mut Client, owner: Person, wanted: u32) -> Result<Vec<Place>, Status> {
    let mut places = Vec::new();
    let mut token = String::new();
    while places.len() < wanted as usize {
        let page = client.inbox(owner, PAGE, token).await?;
        for view in page.threads {
            let thread = view.thread.unwrap_or_default();
            let ids = thread.participants.iter().map(|user| user.id.as_str());
            let mut people = ids.filter_map(|id| owner.beside(id));
            places.push(Place {
                thread: thread.id.into(),
                owner,
                other: people.find(|person| *person != owner).unwrap_or(owner),
                messages: thread.message_count.cast_unsigned(),
            });
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    places.truncate(wanted as usize);
    Ok(places)
}
