//! What the callers of each mix do.

use std::sync::Arc;

use tonic::Status;

use super::{
    client::Client,
    load::Caller,
    options::Mix,
    population::{Dice, Place, Population},
};

/// A caller who does what its mix says.
pub(super) struct MixCaller {
    pub(super) mix: Mix,
    pub(super) client: Client,
    pub(super) population: Arc<Population>,
    pub(super) places: Arc<[Place]>,
    pub(super) page_size: u32,
    pub(super) dice: Dice,
}

impl Caller for MixCaller {
    async fn call(&mut self) -> Result<(), Status> {
        match self.mix {
            Mix::Send | Mix::Watch => self.send().await,
            Mix::Reply => self.reply().await,
            Mix::Inbox => self.inbox().await,
            Mix::Thread => self.thread().await,
            Mix::Mixed => match self.dice.below(100) {
                0..45 => self.inbox().await,
                45..75 => self.thread().await,
                75..90 => self.reply().await,
                90..95 => self.send().await,
                _ => self.mark_read().await,
            },
        }
    }
}

impl MixCaller {
    async fn send(&mut self) -> Result<(), Status> {
        let to = self.population.person(self.dice.roll());
        let from = self.population.sender_to(to, self.dice.roll());
        self.client.send(from, to).await.map(drop)
    }

    async fn reply(&mut self) -> Result<(), Status> {
        let place = place(&self.places, &mut self.dice);
        let from = match self.dice.below(2) {
            0 => place.owner,
            _ => place.other,
        };
        self.client.reply(from, place).await
    }

    async fn inbox(&mut self) -> Result<(), Status> {
        let of = self.population.person(self.dice.roll());
        let first_page = String::new();
        self.client.inbox(of, self.page_size, first_page).await?;
        Ok(())
    }

    async fn thread(&mut self) -> Result<(), Status> {
        let place = place(&self.places, &mut self.dice);
        // A whole page follows, where the thread holds one.
        let starts = place.messages.saturating_sub(self.page_size) + 1;
        let start = self.dice.below(u64::from(starts)) + 1;
        let start = u32::try_from(start).unwrap_or(1);
        self.client.thread(place, self.page_size, start).await
    }

    async fn mark_read(&mut self) -> Result<(), Status> {
        let place = place(&self.places, &mut self.dice);
        self.client.mark_read(place).await
    }
}

/// Any of the threads; a mix that needs one has made one.
fn place<'a>(places: &'a [Place], dice: &mut Dice) -> &'a Place {
    let number = dice.below(places.len() as u64);
    &places[usize::try_from(number).unwrap_or(0)]
}
