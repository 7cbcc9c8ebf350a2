// The shell: navigation, the question's controls, how complete the answer is, and the screen.
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';

import { isSignedOut, onSessionChange } from './api/session';
import { CoverageBadges } from './components/coverage';
import { Brand, Icon } from './components/icon';
import { SearchBox } from './components/search_box';
import { Segmented } from './components/segmented';
import { TimeRange } from './components/time_range';
import { TokenForm } from './components/token_form';
import { layers, screens, views } from './model/catalog';
import { screenComponents } from './screens';
import { idle, type ScreenStatus } from './screens/screen';
import { useUrlState, type Navigate } from './state/location';
import { toggleTheme, useTheme } from './state/theme';
import { effectiveRange, formatUrl, onScreen, type UrlState } from './state/url';

function Navigation({ state }: { state: UrlState }) {
  return (
    <nav aria-label="Screens">
      {screens.map(({ id, title }) => (
        <a
          key={id}
          href={formatUrl(onScreen(state, id))}
          data-testid={`nav-${id}`}
          aria-current={id === state.screen ? 'page' : undefined}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}

function ThemeButton() {
  const theme = useTheme();
  const label = theme === 'dark' ? 'Light theme' : 'Dark theme';
  return (
    <button
      type="button"
      class="icon-button"
      title={label}
      aria-label={label}
      data-testid="theme"
      onClick={toggleTheme}
    >
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}

interface ToolbarProps {
  state: UrlState;
  status: ScreenStatus;
  navigate: Navigate;
  refresh: () => void;
}

function Toolbar({ state, status, navigate, refresh }: ToolbarProps) {
  const hasView = screens.find((screen) => screen.id === state.screen)?.hasView ?? false;
  return (
    <div class="toolbar">
      {hasView && (
        <Segmented
          label="What the ends of a flow are"
          choices={views.map(({ id, title }) => ({ id, title, testid: `view-${id}` }))}
          value={state.view}
          onChange={(view) => navigate({ view, focus: '' })}
        />
      )}
      <Segmented
        label="Network layer"
        choices={layers.map(({ id, title, hint }) => ({ id, title, hint, testid: `layer-${id}` }))}
        value={state.layer}
        onChange={(layer) => navigate({ layer, sort: '', fill: '', bounds: null })}
      />
      <SearchBox
        value={state.q}
        error={status.error?.field === 'q' ? status.error : null}
        onChange={(q) => navigate({ q })}
      />
      <TimeRange range={effectiveRange(state)} onChange={(range) => navigate({ range })} />
      <button type="button" class="button" title="Refresh" aria-label="Refresh" data-testid="refresh" onClick={refresh}>
        <Icon name="refresh" />
      </button>
    </div>
  );
}

function useSignedOut(): boolean {
  const [signedOut, setSignedOut] = useState(isSignedOut);
  useEffect(() => onSessionChange(() => setSignedOut(isSignedOut())), []);
  return signedOut;
}

export function App() {
  const [state, navigate] = useUrlState();
  const [status, report] = useState<ScreenStatus>(idle);
  const [tick, next] = useReducer((n: number) => n + 1, 0);
  const main = useRef<HTMLElement>(null);
  const signedOut = useSignedOut();
  const refresh = () => next(undefined);
  const Screen = screenComponents[state.screen];
  const title = screens.find((screen) => screen.id === state.screen)?.title ?? '';
  useEffect(() => void (document.title = `${title} · Weir`), [title]);

  return (
    <>
      <button type="button" class="skip-link" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="topbar">
        <div class="brand">
          <Brand />
          Weir
        </div>
        <Navigation state={state} />
        <CoverageBadges answer={signedOut ? null : status.answer} />
        <ThemeButton />
      </header>
      {!signedOut && <Toolbar state={state} status={status} navigate={navigate} refresh={refresh} />}
      <div class={`progress ${status.loading && !signedOut ? 'active' : ''}`} aria-hidden="true" />
      <main ref={main} tabIndex={-1} aria-busy={status.loading} class={`screen screen-${state.screen}`}>
        {signedOut ? (
          <TokenForm />
        ) : (
          <Screen key={state.screen} state={state} navigate={navigate} tick={tick} refresh={refresh} report={report} />
        )}
      </main>
    </>
  );
}
