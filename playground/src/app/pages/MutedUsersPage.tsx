/** The users whom the viewer has muted, newest mute first, ten per page. */

import { useQuery } from "@apollo/client/react";
import { UnmuteButton } from "../components/UnmuteButton";
import { ViewerList } from "../components/ViewerList";
import { formatExact, formatMoment } from "../format";
import { graphql } from "../generated";
import { MUTED_PATH, SAFETY_TABS } from "../links";
import { usePosition } from "../paging";

const MutedUsersPage_query = graphql(`
  query MutedUsersPage($first: Int, $after: String, $last: Int, $before: String) {
    viewer {
      id
      page: mutedUsers(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        edges {
          cursor
          mutedUntil
          node {
            id
            ...UserTable_user
            ...UnmuteButton_user
          }
        }
        pageInfo {
          ...Pager_pageInfo
        }
      }
    }
    ...Header_query
  }
`);

export function MutedUsersPage() {
  const result = useQuery(MutedUsersPage_query, { variables: usePosition() });

  return (
    <ViewerList
      title="Muted users"
      intro="You do not hear of these users. They do not know."
      empty="You have not muted any user."
      path={MUTED_PATH}
      tabs={SAFETY_TABS}
      columns={{
        timeTitle: "Until",
        time: ({ mutedUntil }) => <Until time={mutedUntil} />,
        actions: ({ node }) => <UnmuteButton user={node} />,
      }}
      result={result}
    />
  );
}

/** When a mute ends. A lapsed one stays on the list until the viewer ends it. */
function Until({ time }: { time: string | null | undefined }) {
  if (!time) {
    return "You end it";
  }
  return (
    <time dateTime={time} title={formatExact(time)}>
      {new Date(time) < new Date() ? "Over" : formatMoment(time)}
    </time>
  );
}
