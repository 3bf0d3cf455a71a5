/** The frame around every page, and the routes. */

import { ApolloProvider } from "@apollo/client/react";
import { useMemo, useSyncExternalStore } from "react";
import { type AroundNavHandler, Route, Router, Switch, useLocation, useSearch } from "wouter";
import { BASE_PATH } from "../base";
import { getToken, subscribe } from "../session";
import { createClient } from "./client";
import { Footer } from "./components/Footer";
import { Header } from "./components/Header";
import { Live } from "./components/Live";
import { Messages } from "./components/Messages";
import { Notices } from "./components/Notices";
import {
  BLOCKED_PATH,
  MUTED_PATH,
  REQUESTS_PATH,
  SENT_REQUESTS_PATH,
  SETTINGS_PATH,
} from "./links";
import { BlockedUsersPage } from "./pages/BlockedUsersPage";
import { DirectoryPage } from "./pages/DirectoryPage";
import { FollowersPage } from "./pages/FollowersPage";
import { FollowingPage } from "./pages/FollowingPage";
import { MutedUsersPage } from "./pages/MutedUsersPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { ProfilePage } from "./pages/ProfilePage";
import { RequestsPage, SentRequestsPage } from "./pages/RequestsPage";
import { SettingsPage } from "./pages/SettingsPage";
import { SignInPage } from "./pages/SignInPage";
import { SignUpPage } from "./pages/SignUpPage";

export function App() {
  const token = useSyncExternalStore(subscribe, getToken);
  // Nearly every answer depends on the viewer. Each token gets its own client with its own cache, so
  // no user sees data that was fetched for another.
  const client = useMemo(() => createClient(token), [token]);

  return (
    <ApolloProvider client={client}>
      <Router base={BASE_PATH} aroundNav={navigateToTop}>
        <SkipLink />
        <Header signedIn={token !== null} />
        <main id="main" tabIndex={-1}>
          <Switch>
            <Route path="/" component={DirectoryPage} />
            <Route path="/sign-in" component={SignInPage} />
            <Route path="/sign-up" component={SignUpPage} />
            <Route path={SETTINGS_PATH} component={SettingsPage} />
            <Route path={BLOCKED_PATH} component={BlockedUsersPage} />
            <Route path={MUTED_PATH} component={MutedUsersPage} />
            <Route path={REQUESTS_PATH} component={RequestsPage} />
            <Route path={SENT_REQUESTS_PATH} component={SentRequestsPage} />
            <Route path="/users/:username">
              {({ username }) => <ProfilePage username={username} />}
            </Route>
            <Route path="/users/:username/followers">
              {({ username }) => <FollowersPage username={username} />}
            </Route>
            <Route path="/users/:username/following">
              {({ username }) => <FollowingPage username={username} />}
            </Route>
            <Route component={NotFoundPage} />
          </Switch>
        </main>
        <Footer />
        <div className="feedback">
          <Notices />
          <Messages />
        </div>
      </Router>
      {token !== null && <Live key={token} token={token} />}
    </ApolloProvider>
  );
}

/** Jumps to the content. A bare `#main` would lead to the first page: it is relative to `<base>`. */
function SkipLink() {
  const [path] = useLocation();
  const search = useSearch();
  return (
    <a className="skip-link" href={`${BASE_PATH}${path}${search && `?${search}`}#main`}>
      Skip to the content
    </a>
  );
}

/** A new page starts at its top; back and forward keep the position that the browser restores. */
const navigateToTop: AroundNavHandler = (navigate, to, options) => {
  navigate(to, options);
  if (!options?.replace) {
    window.scrollTo(0, 0);
  }
};
