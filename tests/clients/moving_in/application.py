"""An application that moves in: the social blog of many tutorials, with Flask-SQLAlchemy.

usage: application.py FILE USERS FOLLOWS

Writes a new SQLite file as the application would have it. Users follow each other through an
association table with a timestamp, and each follows themselves, as such applications have it to show
people their own posts. All have the password `cat`; the hash is werkzeug's.
"""

import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import generate_password_hash

file, users, follows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{file.absolute()}"
db = SQLAlchemy(app)


class Follow(db.Model):
    __tablename__ = "follows"
    follower_id = db.Column(db.Integer, db.ForeignKey("users.id"), primary_key=True)
    followed_id = db.Column(db.Integer, db.ForeignKey("users.id"), primary_key=True)
    timestamp = db.Column(db.DateTime)


class User(db.Model):
    __tablename__ = "users"
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(64), unique=True, index=True)
    username = db.Column(db.String(64), unique=True, index=True)
    password_hash = db.Column(db.String(256))
    confirmed = db.Column(db.Boolean, default=False)
    name = db.Column(db.String(64))
    location = db.Column(db.String(64))
    about_me = db.Column(db.Text())
    member_since = db.Column(db.DateTime())


def user(number: int) -> dict[str, object]:
    # Some usernames that the application allows, and some texts that CSV has to quote.
    name = {0: "susan.smith", 1: "J.R._Ewing"}.get(number % 100, f"user{number}")
    return {
        "id": number,
        "email": f"user{number}@example.com",
        "username": f"{name}{number}" if number % 100 < 2 else name,
        "password_hash": password_hash,
        "confirmed": True,
        "name": f"User, the {number}th" if number % 3 else None,
        "location": "Berlin",
        "about_me": 'Says "hello"\nand more' if number % 7 == 0 else None,
        "member_since": start + timedelta(minutes=number, microseconds=number),
    }


def follow(place: int, pair: tuple[int, int]) -> dict[str, object]:
    follower, followed = pair
    at = start + timedelta(days=60, seconds=place, microseconds=place * 7)
    return {"follower_id": follower, "followed_id": followed, "timestamp": at}


start = datetime(2021, 3, 4, 5, 6, 7)
password_hash = generate_password_hash("cat")
chance = random.Random(7)
pairs: dict[tuple[int, int], None] = {(n, n): None for n in range(1, users + 1)}
while len(pairs) < users + follows:
    # A few are followed by many.
    followed = min(int(chance.paretovariate(0.7)), users)
    pairs[(chance.randint(1, users), followed)] = None
with app.app_context():
    db.create_all()
    db.session.execute(db.insert(User), [user(n) for n in range(1, users + 1)])
    db.session.execute(db.insert(Follow), [follow(n, pair) for n, pair in enumerate(pairs)])
    db.session.commit()
