/** What follows when all sessions have ended: the directory, signed out. */

import { useLocation } from "wouter";
import { clearToken } from "../session";
import { say } from "./messages";

export function useEndSession(): (message: string) => void {
  const [, navigate] = useLocation();

  return (message) => {
    clearToken();
    navigate("/");
    say(message);
  };
}
