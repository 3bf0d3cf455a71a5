"""A client in Python, with the package that ariadne-codegen makes.

It reads the profile of ada with all followers, two at a time, and follows her. What it saw it
prints as one JSON object.
"""

import asyncio
import json
import os

from generated import Client
from generated.input_types import UserRef
from generated.profile import ProfileUser


async def read_profile(client: Client, after: str | None = None) -> ProfileUser:
    profile = await client.profile(username="ada", after=after)
    assert profile.user, "there is no such user"
    return profile.user


async def main() -> None:
    token = os.environ["ENTOURAGE_TOKEN"]
    headers = {"authorization": f"Bearer {token}"}
    async with Client(url=os.environ["ENTOURAGE_URL"], headers=headers) as client:
        profile = await read_profile(client)
        edges = profile.followers.edges
        page = profile.followers.page_info
        while page.has_next_page:
            followers = (await read_profile(client, page.end_cursor)).followers
            edges += followers.edges
            page = followers.page_info

        follow = (await client.follow(user=UserRef(id=profile.id))).follow
        assert follow and follow.user and follow.viewer, "there is no such user"

    report = {
        "name": profile.name,
        "followers": profile.follower_count,
        "following": profile.following_count,
        "followedBy": [
            (edge.node.username, f"{edge.followed_at:%Y-%m-%dT%H:%M:%S.%fZ}")
            for edge in edges
        ],
        "viewerIsFollowing": profile.viewer_is_following,
        "isFollowingViewer": profile.is_following_viewer,
        "viewerCanFollow": profile.viewer_can_follow,
        "outcome": follow.outcome,
        "userErrors": [error.message for error in follow.user_errors],
        "followersAfterwards": follow.user.follower_count,
        "followingAfterwards": follow.viewer.user.following_count,
    }
    print(json.dumps(report))


asyncio.run(main())
